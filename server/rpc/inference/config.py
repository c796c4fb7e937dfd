"""ModelConfig: how a model is served, in the words of Triton's configuration of models."""

import json
from dataclasses import dataclass

from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import FILE, INPUT, OUTPUT
from server.models.model import LABELS, Model
from server.models.policy import Policy
from server.models.repository import Versions
from server.models.served import Served
from server.rpc.inference import PLATFORM
from server.rpc.inference.properties import describe
from server.rpc.inference.requests import read_version
from server.settings.settings import Settings

BACKEND = "onnxruntime"
MAX_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Configuration:
    """Tells how models are served by a server with these settings."""

    served: Served
    settings: Settings

    def model_config(self, request: protocol.ModelConfigRequest) -> protocol.ModelConfigResponse:
        """Describe a model; raises NotReady, NotLoaded, InvalidField."""
        models = self.served.require()
        model = models.find(request.name, *read_version(request.version))
        policy = self.served.policies.policy(model.name)
        properties = describe(model, self.settings.max_message_bytes)
        properties |= _versions(policy, models.by_name[model.name])
        group = protocol.ModelInstanceGroup
        config = protocol.ModelConfig(
            name=model.name,
            platform=PLATFORM,
            backend=BACKEND,
            version_policy=_version_policy(policy),
            max_batch_size=self.settings.max_batch_size,
            input=[_input(model)],
            output=_outputs(model),
            instance_group=[
                group(name=f"{model.name}_0", count=self.settings.workers, kind=group.KIND_CPU)
            ],
            default_model_filename=FILE,
            dynamic_batching=protocol.ModelDynamicBatching(
                max_queue_delay_microseconds=round(self.settings.batch_delay_seconds * 1e6),
                default_queue_policy=protocol.ModelQueuePolicy(
                    allow_timeout_override=True, max_queue_size=self.settings.max_queued_images
                ),
            ),
            parameters={
                name: protocol.ModelParameter(string_value=value)
                for name, value in properties.items()
            },
            model_transaction_policy=protocol.ModelTransactionPolicy(decoupled=False),
        )
        return protocol.ModelConfigResponse(config=config)


def _input(model: Model) -> protocol.ModelInput:
    return protocol.ModelInput(
        name=INPUT, data_type=protocol.DataType.TYPE_FP32, dims=[model.n_pixels]
    )


def _outputs(model: Model) -> list[protocol.ModelOutput]:
    output, kinds = protocol.ModelOutput, protocol.DataType
    return [
        output(name=OUTPUT, data_type=kinds.TYPE_FP32, dims=[model.layer_sizes[-1]]),
        output(name=LABELS, data_type=kinds.TYPE_INT64, dims=[1]),
    ]


def _version_policy(policy: Policy) -> protocol.ModelVersionPolicy | None:
    """Return which versions are served; None for what has no words here: the newest beside those
    that have labels.
    """
    labelled = set(policy.labels.values())
    if not policy.choice.newest:
        versions = sorted(labelled.union(policy.choice.numbers))
        return protocol.ModelVersionPolicy(
            specific=protocol.ModelVersionPolicy.Specific(versions=versions)
        )
    if labelled:
        return None
    newest = min(policy.choice.newest, MAX_UINT32)
    return protocol.ModelVersionPolicy(
        latest=protocol.ModelVersionPolicy.Latest(num_versions=newest)
    )


def _versions(policy: Policy, versions: Versions) -> dict[str, str]:
    """Return the policy as the settings have it, and the labels that are in use."""
    labels = {label: model.version for label, model in versions.by_label.items()}
    return {"versions": str(policy.choice)} | (
        {"version_labels": json.dumps(labels)} if labels else {}
    )
