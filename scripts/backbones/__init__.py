"""Python definitions of backbones and what turns them into TorchScript files."""
