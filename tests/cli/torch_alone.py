"""What an artifact answers in a process with torch and Pillow and nothing of Graft's, as JSON.

usage: torch_alone.py MODEL IMAGE...
"""

import json
import sys
import warnings

import torch
from PIL import Image, ImageOps

warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as a whole


def pixels(path: str) -> torch.Tensor:
    """uint8 [1, H, W, 3], upright."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(1, image.height, image.width, 3)


model = torch.jit.load(sys.argv[1])
with torch.no_grad():
    probabilities = [model(pixels(path))[0].tolist() for path in sys.argv[2:]]
print(json.dumps({"classes": model.classes, "probabilities": probabilities}))
