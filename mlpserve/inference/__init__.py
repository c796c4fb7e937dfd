"""Generated from proto/inference/open_inference.proto; `make proto` writes it again."""
