"""Writes theirs.txt: the modules and functions of torch.nn and the layers of Keras, each of which the documents have to name.

    pip install torch && python tests/theirs.py > tests/theirs.txt
"""
import inspect
import torch.nn as nn
import torch.nn.functional as F

# keras.layers of Keras 3, without what is an activation, an alias or a base class of another one.
KERAS = """Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D
AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot
Dropout EinsumDense ELU Embedding Equalization Flatten FlaxLayer GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention GRU GRUCell HashedCrossing
Hashing Identity InputLayer IntegerLookup JaxLayer Lambda LayerNormalization LeakyReLU LSTM LSTMCell Masking Maximum MaxNumBoundingBoxes
MaxPooling1D MaxPooling2D MaxPooling3D MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization Permute Pipeline PReLU RandAugment
RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip
RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing RMSNormalization RNN SeparableConv1D SeparableConv2D
SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization STFTSpectrogram
StackedRNNCells StringLookup Subtract TextVectorization TFSMLayer ThresholdedReLU TimeDistributed TorchModuleWrapper UnitNormalization UpSampling1D
UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D"""
# What the module of functions imports for itself.
INNER = {"assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"}

print("# name of a module, a function or a layer: every one stands in the documents. Written by theirs.py.")
for name in sorted(dir(nn)):
    if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module):
        print("nn." + name)
for name in sorted(dir(F)):
    f = getattr(F, name)
    if callable(f) and not name.startswith("_") and not inspect.isclass(f) and name not in INNER and getattr(f, "__module__", "") != "typing":
        print("F." + name)
for name in KERAS.split():
    print("layers." + name)
