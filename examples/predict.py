import sys

import numpy
import torch
from PIL import Image, ImageOps

model = torch.jit.load(sys.argv[1])
image = ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB")
probabilities = model(torch.from_numpy(numpy.array(image))[None])[0]
print(model.classes[probabilities.argmax()], probabilities.max().item())
