"""The settings of versions, labels and traffic are read as written, and mistakes are named."""

import pytest

from server.errors import StartupError
from server.models.policy import Choice, Policy, read_policies


def test_what_is_said_of_each_model() -> None:
    policies = read_policies(
        "latest 2; digits: 3, 1", "digits: stable 1, canary 3", "stable 95, 3 5", "canary 10"
    )
    every, digits = policies.policy("letters"), policies.policy("digits")
    assert every == Policy(Choice(2), {}, {"stable": 95, "3": 5}, {"canary": 10})
    assert digits.choice == Choice(0, (1, 3))
    assert digits.labels == {"stable": 1, "canary": 3}
    assert digits.weights == every.weights
    assert policies.named == ["digits"]
    assert (str(every.choice), str(digits.choice)) == ("latest 2", "1, 3")
    assert every.choice.candidates([1, 2, 3]) == [3, 2, 1]
    assert digits.choice.candidates([1, 2, 3]) == [3, 1]


@pytest.mark.parametrize(
    ("setting", "text", "words"),
    [
        ("versions", "newest", 'expected "latest N" or a list'),
        ("versions", "latest 0", 'expected "latest N" or a list'),
        ("versions", "1, 0", 'expected "latest N" or a list'),
        ("versions", "1; 2", "expected one part for each model"),
        ("versions", "digits:", "expected one part for each model"),
        ("labels", "stable", "expected labels with a version"),
        ("labels", "digits: 1 1", "expected labels with a version"),
        ("labels", "digits: a 1, a 2", "expected labels with a version"),
        ("traffic", "stable 0", "expected labels with a weight"),
        ("traffic", "stable: 95", "expected labels with a weight"),
        ("shadow", "canary 101", "expected one label with a percentage"),
        ("shadow", "canary 1, stable 1", "expected one label with a percentage"),
    ],
)
def test_mistakes_are_named(setting: str, text: str, words: str) -> None:
    settings = dict.fromkeys(("versions", "labels", "traffic", "shadow"), "") | {setting: text}
    with pytest.raises(StartupError, match=f"--{setting}: .* can't be used; {words}"):
        read_policies(**settings)
