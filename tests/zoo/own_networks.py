"""Small networks with odd surfaces: what a classifier returns, takes and holds beside the usual.

Each gives its features, as a fine-tuner wants them, by `expected_features`; the zoo compares with that.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from tiny import TinyHeadless
from torch import Tensor, nn


class Pooled(TinyHeadless):
    """Body of the networks below: float [N, 3, H, W] -> [N, 32]."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def pooled(self, x: Tensor) -> Tensor:
        return self.pool(self.feature_map(x)).flatten(1)

    def expected_features(self, x: Tensor) -> Tensor:
        return self.pooled(x)


class Classifying(Pooled):
    """With a linear classifier: -> [N, 10]."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(32, 10)

    def logits(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.pooled(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x)


class HeadlessMap(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return self.feature_map(x)


class DictOutput(Classifying):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        return {"out": self.logits(x)}


class TupleOutput(Classifying):
    """The second output is of an auxiliary head."""

    def __init__(self):
        super().__init__()
        self.auxiliary = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        x = self.pooled(x)
        return self.fc(self.dropout(x)), self.auxiliary(x)


class ListOutput(Classifying):
    def forward(self, x: Tensor) -> List[Tensor]:
        return [self.logits(x)]


class Prediction(NamedTuple):
    logits: Tensor
    embedding: Tensor


class NamedTupleOutput(Classifying):
    def forward(self, x: Tensor) -> Prediction:
        x = self.pooled(x)
        return Prediction(self.fc(self.dropout(x)), x)


class LogSoftmaxOutput(Classifying):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.log_softmax(self.logits(x), dim=1)


class SigmoidOutput(Classifying):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(x))


class ConvClassifier(Pooled):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Conv2d(32, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.feature_map(x))).flatten(1)


class TwoLinear(Pooled):
    """The last of two linear layers is the classifier."""

    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pooled(x))

    def expected_features(self, x: Tensor) -> Tensor:
        return self.classifier[1](self.classifier[0](self.pooled(x)))


class NoBias(Classifying):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(32, 10, bias=False)


class OptionalArgument(Classifying):
    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        if mask is not None:
            x = x * mask
        return self.logits(x)


class SharedParameters(Classifying):
    """One convolution, under two names, runs twice."""

    def __init__(self):
        super().__init__()
        self.refine = nn.Conv2d(32, 32, 3, padding=1)
        self.again = self.refine

    def feature_map(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.relu(self.bn3(self.conv3(x)))
        return x + self.again(self.relu(self.refine(x)))


class HalfWeights(Classifying):
    pass


class BFloat16Weights(Classifying):
    pass


class TwoMethods(Classifying):
    @torch.jit.export
    def embed(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(self.pooled(x), dim=1)


class OwnNormalisation(Classifying):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1))
        self.register_buffer("unused", torch.arange(4.0))

    def feature_map(self, x: Tensor) -> Tensor:
        x = x - self.mean
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)))


class ControlFlow(Classifying):
    """Branches on the images' size and a loop over layers."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(32, 32, 1) for _ in range(3))

    def pooled(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 64:
            x = nn.functional.avg_pool2d(x, 2)
        x = self.feature_map(x)
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return self.pool(x).flatten(1)


class FixedBatch(Classifying):
    """A trace of it holds the number of images."""

    def pooled(self, x: Tensor) -> Tensor:
        return self.pool(self.feature_map(x)).view(int(x.shape[0]), 32)
