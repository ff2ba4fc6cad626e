"""The networks that every release of Graft must take: one row each, with what is expected of its files.

A network is listed because its kind of graph differs from the others', not because it is popular; of each family the
smallest that keeps the family's traits, with options that make it smaller still where its constructor has some.
"""

import dataclasses

SCRIPTED, TRACED, SCRIPTED_FROZEN, TRACED_FROZEN = "scripted", "traced", "scripted-frozen", "traced-frozen"
KINDS = (SCRIPTED, TRACED, SCRIPTED_FROZEN, TRACED_FROZEN)
TRACES = (TRACED, TRACED_FROZEN)
FROZEN = (SCRIPTED_FROZEN, TRACED_FROZEN)


@dataclasses.dataclass(frozen=True)
class Network:
    name: str
    origin: str  # torchvision, timm, own
    side: int  # of its images, pixels
    family: str
    architecture: str = ""  # the constructor's name where it is not the network's
    options: dict = dataclasses.field(default_factory=dict, hash=False)  # of the constructor
    scriptable: bool = True
    asks: dict = dataclasses.field(default_factory=dict, hash=False)  # kind -> what its user must say: keep or replace
    dtype: str = "float32"  # of the file's weights
    batch: int = 0  # images that the trace is for; 0: any number
    last_linear: bool = False  # its features are what enters the linear layer that runs last, not timm's pre_logits
    quick: tuple[str, ...] = ()  # kinds that every run of the tests takes

    @property
    def kinds(self) -> tuple[str, ...]:
        return KINDS if self.scriptable else TRACES


def network(name: str, origin: str, side: int, family: str, **more) -> Network:
    return Network(name, origin, side, family, **more)


def torchvision(name: str, side: int, family: str, **more) -> Network:
    return network(name, "torchvision", side, family, **more)


def timm(name: str, side: int, family: str, **more) -> Network:
    return network(name, "timm", side, family, **more)


def own(name: str, family: str, **more) -> Network:
    return network(name, "own", 32, family, **more)


# Where the features end is a matter of taste in these files, so Graft must ask.
EVERY_KIND_ASKS = {kind: "replace" for kind in KINDS}
FROZEN_ASKS = {kind: "replace" for kind in FROZEN}
ONE_BLOCK_EACH = {"layers": [1, 1, 1, 1]}

NETWORKS = (
    torchvision("resnet18", 64, "convolutional", quick=(SCRIPTED,)),
    torchvision("alexnet", 64, "convolutional, linear layers stacked", options={"hidden": 64}),
    torchvision("vgg11_bn", 64, "convolutional, linear layers stacked", options={"hidden": 64}),
    torchvision("squeezenet1_1", 64, "convolution as classifier", asks=FROZEN_ASKS, quick=(TRACED,)),
    torchvision("googlenet", 64, "inception, auxiliary heads", options={"init_weights": False}, quick=(SCRIPTED,)),
    torchvision("inception_v3", 80, "inception, auxiliary head", options={"init_weights": False}),
    torchvision("densenet121", 64, "dense"),
    torchvision("mobilenet_v2", 64, "depthwise"),
    torchvision("mobilenet_v3_small", 64, "depthwise, squeeze-excite"),
    torchvision("mnasnet0_5", 64, "depthwise"),
    torchvision("shufflenet_v2_x0_5", 64, "depthwise, channel shuffle"),
    torchvision("efficientnet_b0", 64, "depthwise, squeeze-excite"),
    torchvision("regnet_y_400mf", 64, "grouped, squeeze-excite"),
    torchvision("convnext_tiny", 64, "modern convolutional", options={"small": True}),
    torchvision("vit_b_32", 64, "attention", options={"image_size": 64, "small": True}, quick=(SCRIPTED_FROZEN,)),
    torchvision("swin_t", 64, "windowed attention", options={"small": True}),
    torchvision("maxvit_t", 224, "windowed and grid attention, convolutional", options={"small": True}),
    timm("resnet26d", 64, "convolutional, deep stem"),
    timm("seresnext26ts", 64, "grouped, squeeze-excite"),
    timm("wide_resnet50_2", 64, "wide convolutional", options=ONE_BLOCK_EACH),
    timm("resnext50_32x4d", 64, "grouped", options=ONE_BLOCK_EACH),
    timm("ecaresnext26t_32x4d", 64, "efficient channel attention"),
    timm("resnetv2_18", 64, "pre-activation, convolution as classifier"),
    timm("resnest14d", 64, "split attention"),
    timm("res2net50_14w_8s", 64, "split convolutions", options=ONE_BLOCK_EACH),
    timm("skresnet18", 64, "selective kernels"),
    timm("dla46_c", 64, "layer aggregation"),
    timm("hrnet_w18_small", 64, "parallel resolutions", scriptable=False),
    timm("cs3darknet_s", 64, "cross-stage partial"),
    timm("cspresnext50", 64, "cross-stage partial"),
    timm("ese_vovnet19b_slim", 64, "one-shot aggregation"),
    timm("hgnetv2_b0", 64, "convolutional, learned affine"),
    timm("selecsls42", 64, "selective long and short range", scriptable=False),
    timm("xception41", 80, "separable convolutions"),
    timm("dpn48b", 64, "dual path"),
    timm("legacy_seresnet18", 64, "squeeze-excite"),
    timm("nf_regnet_b0", 64, "normaliser-free"),
    timm("eca_nfnet_l0", 64, "normaliser-free, weight standardisation"),
    timm("efficientnet_lite0", 64, "depthwise"),
    timm("tf_efficientnet_b0", 64, "depthwise, TensorFlow padding"),
    timm("tinynet_e", 64, "depthwise, squeeze-excite"),
    timm("mixnet_s", 64, "mixed depthwise"),
    timm("mobilenetv3_small_050", 64, "depthwise, convolution ahead of the classifier"),
    timm("mobilenetv4_conv_small", 64, "depthwise"),
    timm("lcnet_050", 64, "depthwise"),
    timm("ghostnet_050", 64, "ghost convolutions"),
    timm("ghostnetv2_100", 64, "ghost convolutions, attention"),
    timm("rexnet_100", 64, "depthwise, squeeze-excite"),
    timm("regnetx_002", 64, "grouped"),
    timm("repvgg_a0", 64, "re-parameterised"),
    timm("mobileone_s0", 64, "re-parameterised", quick=(SCRIPTED,)),
    timm("repvit_m0_9", 64, "re-parameterised, two heads"),
    timm("repghostnet_050", 64, "re-parameterised"),
    timm("fastvit_t8", 256, "re-parameterised, attention"),
    timm("starnet_s050", 64, "element-wise product"),
    timm("fasternet_t0", 64, "partial convolutions"),
    timm("convnext_atto", 64, "modern convolutional"),
    timm("convnextv2_atto", 64, "modern convolutional, response normalisation", quick=(SCRIPTED_FROZEN,)),
    timm("inception_next_atto", 64, "modern convolutional, strips"),
    timm("focalnet_tiny_srf", 64, "focal modulation", options={"blocks": 1}),
    timm("mambaout_femto", 64, "gated convolutional"),
    timm("rdnet_tiny", 64, "modern dense", options={"num_init_features": 32, "growth_rates": (32,) * 7}),
    timm("poolformer_s12", 64, "pooling as mixer"),
    timm("caformer_s18", 64, "convolution and attention, linear layers stacked", options={"blocks": 1},
         last_linear=True),
    timm("convformer_s18", 64, "separable convolutions, linear layers stacked", options={"blocks": 1},
         last_linear=True),
    timm("mixer_s32_224", 224, "mixer", options={"blocks": 2}, quick=(TRACED,)),
    timm("resmlp_12_224", 224, "mixer", options={"blocks": 2}),
    timm("gmlp_ti16_224", 224, "gated mixer", options={"blocks": 2}),
    timm("convmixer_768_32", 64, "convolutional mixer", options={"blocks": 2}),
    timm("vit_tiny_patch16_224", 224, "attention", options={"depth": 4}, quick=(SCRIPTED,)),
    timm("vit_small_patch16_dinov3", 64, "no classifier: attention, rotary", options={"depth": 2}),
    timm("vit_small_patch14_reg4_dinov2", 70, "no classifier: attention, registers",
         options={"depth": 2, "img_size": 70}),
    timm("deit_tiny_distilled_patch16_224", 224, "attention, distilled: two heads", options={"depth": 4}),
    timm("deit3_small_patch16_224", 224, "attention, layer scale", options={"depth": 2}),
    timm("cait_xxs24_224", 224, "class attention", options={"depth": 3}),
    timm("beit_base_patch16_224", 224, "attention, relative positions",
         options={"depth": 2, "embed_dim": 96, "num_heads": 3}),
    timm("eva02_tiny_patch14_224", 224, "no classifier: attention, rotary, swiglu", options={"depth": 3}),
    timm("vit_tiny_r_s16_p8_224", 224, "hybrid", options={"depth": 3}),
    timm("convit_tiny", 224, "gated positional attention", options={"depth": 3, "local_up_to_layer": 2}),
    timm("crossvit_tiny_240", 240, "two branches of attention, a head each"),
    timm("tnt_s_legacy_patch16_224", 224, "transformer in transformer", options={"depth": 2}),
    timm("volo_d1_224", 224, "outlook attention, second head over tokens", options={"blocks": 1},
         asks=EVERY_KIND_ASKS),
    timm("xcit_nano_12_p16_224", 224, "cross-covariance attention"),
    timm("pit_ti_224", 224, "pooling attention"),
    timm("pit_ti_distilled_224", 224, "pooling attention, distilled: two heads"),
    timm("coat_lite_tiny", 224, "co-scale attention"),
    timm("coatnet_pico_rw_224", 224, "convolution and attention"),
    timm("maxvit_pico_rw_256", 256, "windowed and grid attention, convolutional"),
    timm("swinv2_cr_tiny_224", 224, "windowed attention", options={"depths": (1, 1, 1, 1)}),
    timm("swinv2_tiny_window8_256", 256, "windowed attention, cosine", options={"depths": (1, 1, 1, 1)}),
    timm("gcvit_xxtiny", 224, "global context attention"),
    timm("twins_svt_small", 224, "local and global attention", options={"depths": [1, 1, 1, 1]}),
    timm("nest_tiny", 224, "nested attention", options={"blocks": 1}),
    timm("davit_tiny", 224, "spatial and channel attention", options={"depths": (1, 1, 1, 1)}),
    timm("mvitv2_tiny", 224, "multi-scale attention"),
    timm("hiera_tiny_224", 224, "hierarchical attention", options={"stages": (1, 1, 2, 1)}, scriptable=False),
    timm("pvt_v2_b0", 224, "pyramid attention"),
    timm("visformer_tiny", 224, "convolution and attention"),
    timm("sequencer2d_s", 224, "recurrent mixer", options={"layers": [1, 1, 2, 1]}),
    timm("levit_128s", 224, "hybrid, distilled: two heads", quick=(TRACED_FROZEN,)),
    timm("efficientformerv2_s0", 224, "hybrid, distilled: two heads"),
    timm("swiftformer_xs", 224, "additive attention, two heads"),
    timm("tiny_vit_5m_224", 224, "convolution and windowed attention"),
    timm("edgenext_xx_small", 128, "hybrid, cross-covariance attention"),
    timm("mobilevit_xxs", 128, "hybrid"),
    timm("mobilevitv2_050", 128, "hybrid, linear attention", scriptable=False),
    timm("efficientvit_b0", 128, "linear attention"),
    timm("efficientvit_m0", 224, "cascaded group attention", last_linear=True),  # BatchNorm before it is the head's
    timm("shvit_s1", 224, "single-head attention", last_linear=True),  # the same
    timm("halonet26t", 256, "halo attention"),
    timm("botnet26t_256", 256, "bottleneck attention"),
    timm("lambda_resnet26t", 256, "lambda layers"),
    timm("resnet10t_headless", 64, "no classifier: pooled features", architecture="resnet10t",
         options={"num_classes": 0}, quick=(TRACED,)),
    timm("vit_tiny_headless", 224, "no classifier: attention", architecture="vit_tiny_patch16_224",
         options={"num_classes": 0, "depth": 2}),
    own("HeadlessMap", "no classifier: a feature map"),
    own("DictOutput", "dictionary of outputs"),
    own("TupleOutput", "tuple of outputs"),
    own("ListOutput", "list of outputs"),
    own("NamedTupleOutput", "named tuple of outputs"),
    own("LogSoftmaxOutput", "log-softmax behind the classifier"),
    own("SigmoidOutput", "sigmoid behind the classifier"),
    own("ConvClassifier", "1x1 convolution behind the pooling", quick=(TRACED,)),
    own("TwoLinear", "linear layers stacked"),
    own("NoBias", "classifier without bias"),
    own("OptionalArgument", "optional second argument"),
    own("SharedParameters", "one layer used twice"),
    own("HalfWeights", "half weights", dtype="float16", quick=(SCRIPTED,)),
    own("BFloat16Weights", "bfloat16 weights", dtype="bfloat16"),
    own("TwoMethods", "two methods"),
    own("OwnNormalisation", "normalisation inside, unused buffer"),
    own("ControlFlow", "branches and a loop"),
    own("FixedBatch", "batch size fixed by tracing", scriptable=False, batch=2, quick=(TRACED,)),
)


def named(name: str) -> Network:
    return next(row for row in NETWORKS if row.name == name)
