"""What every source of backbones gives."""

import dataclasses

from torch import nn


@dataclasses.dataclass
class Backbone:
    name: str
    module: nn.Module  # in eval mode, on the CPU
    side: int  # of the square images it is exported for
    origin: str  # one line for the person at the terminal
    source: str  # as the command line takes it, free of this machine's folders
    options: str = ""  # what else the command line needs to make it again, with a space before each
    weights: object = None  # where loaded: torchvision's weights enum, timm's pretrained_cfg, a row of lite.TABLE
