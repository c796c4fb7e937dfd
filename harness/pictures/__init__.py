"""Pictures of digits as people take them: seeded, of many kinds, made of MNIST's images."""
