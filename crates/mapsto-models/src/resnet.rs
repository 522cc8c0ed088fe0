//! ResNet: image classification by blocks that learn what to add to their input, in the sizes of 18 and 34 layers.

use mapsto_nn::Then;
use mapsto_nn::init::{Fan, KaimingNormal};
use mapsto_nn::prelude::*;

/// ResNet-18: blocks `[2, 2, 2, 2]`, 11.7 million parameters for 1,000 classes.
///
/// Source: He, Zhang, Ren, Sun (2015), Deep residual learning for image recognition, arXiv:1512.03385, table 1.
/// ```
/// use mapsto_models::resnet18;
/// use mapsto_nn::prelude::*;
/// assert_eq!(resnet18(1000).parameter_count(), 11_689_512);
/// ```
pub fn resnet18(classes: usize) -> ResNet {
    ResNet::new([2, 2, 2, 2], 64, classes)
}

/// ResNet-34: blocks `[3, 4, 6, 3]`, 21.8 million parameters for 1,000 classes.
///
/// Source: He et al. (2015), arXiv:1512.03385, table 1.
/// ```
/// use mapsto_models::resnet34;
/// use mapsto_nn::prelude::*;
/// assert_eq!(resnet34(1000).parameter_count(), 21_797_672);
/// ```
pub fn resnet34(classes: usize) -> ResNet {
    ResNet::new([3, 4, 6, 3], 64, classes)
}

/// A residual network: a 7×7 convolution and a pooling, each of stride 2; four stages of [`BasicBlock`]s, each stage but
/// the first of twice the channels and half the image; the mean over the image, and a linear layer to the classes.
///
/// * Shape: `[n, 3, h, w] → [n, classes]`, scores before any softmax.
/// * Parameters: named and shaped as torchvision's, whose weights load by name (its `*.num_batches_tracked` have no
///   counterpart: name them in [`Exceptions`]). Convolutions, without bias, are normal with variance `2 / fan_out`;
///   scales are 1 and shifts 0; `fc` is uniform in `±1/√fan_in`.
///
/// Source: He, Zhang, Ren, Sun (2015), Deep residual learning for image recognition, arXiv:1512.03385, section 3.3 and
/// table 1; the initialisation is that of He et al. (2015), arXiv:1502.01852, eq. 14.
/// ```
/// use mapsto_models::ResNet;
/// use mapsto_nn::prelude::*;
/// let model = ResNet::new([1, 1, 1, 1], 8, 5).inputs(1);
/// assert_eq!(model.forward(&Tensor::zeros([2, 1, 64, 48])).shape(), [2, 5]);
/// assert_eq!(model.state_dict()[0].0, "conv1.weight");
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = mapsto_nn)]
pub struct ResNet {
    /// The first convolution, which halves the image.
    pub conv1: Conv2d,
    /// Its norm.
    pub bn1: BatchNorm2d,
    #[module(skip)]
    pool: Option<MaxPool2d>,
    /// The blocks on a quarter of the image's height and width.
    pub layer1: Vec<BasicBlock>,
    /// The blocks on an eighth.
    pub layer2: Vec<BasicBlock>,
    /// The blocks on a sixteenth.
    pub layer3: Vec<BasicBlock>,
    /// The blocks on a thirty-second.
    pub layer4: Vec<BasicBlock>,
    /// From the last stage's channels to the classes.
    pub fc: Linear,
}

impl ResNet {
    /// A network with these numbers of blocks in its stages, whose first stage has `width` channels (64 in all published ones).
    pub fn new(blocks: [usize; 4], width: usize, classes: usize) -> ResNet {
        let stage = |i: usize| {
            let outputs = width << i;
            let inputs = if i == 0 { width } else { outputs / 2 };
            (0..blocks[i])
                .map(|j| match j {
                    0 => BasicBlock::new(inputs, outputs, if i == 0 { 1 } else { 2 }),
                    _ => BasicBlock::new(outputs, outputs, 1),
                })
                .collect()
        };
        ResNet {
            conv1: convolution(3, width, 7, 2),
            bn1: BatchNorm2d::new(width),
            pool: Some(MaxPool2d::new(3).stride(2).padding(1)),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
            fc: Linear::new(width << 3, classes),
        }
    }

    /// The same for images of another number of channels than 3.
    pub fn inputs(self, channels: usize) -> ResNet {
        let [width, _, k, _] = self.conv1.weight.dims();
        let stride = if self.pool.is_some() { 2 } else { 1 };
        ResNet { conv1: convolution(channels, width, k, stride), ..self }
    }

    /// The same for images of 32×32 and the like: a first convolution of 3×3 and stride 1, and no pooling after it, as in
    /// the paper's section 4.2.
    pub fn small_images(self) -> ResNet {
        let [width, channels, _, _] = self.conv1.weight.dims();
        ResNet { conv1: convolution(channels, width, 3, 1), pool: None, ..self }
    }
}

impl Layer for ResNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.apply_then(&self.conv1, &[Then::of(&self.bn1), Then::of(&Tensor::relu)]) // [n, 64, h/2, w/2]
            .apply(&self.pool) // [n, 64, h/4, w/4]
            .apply(&self.layer1)
            .apply(&self.layer2) // [n, 128, h/8, w/8]
            .apply(&self.layer3) // [n, 256, h/16, w/16]
            .apply(&self.layer4) // [n, 512, h/32, w/32]
            .adaptive_avg_pool2d(1) // [n, 512, 1, 1]
            .flatten(1)
            .apply(&self.fc) // [n, classes]
    }
}

/// Two convolutions and a way around them: `y = relu(bn2(conv2(relu(bn1(conv1(x))))) + x)`, with a 1×1 convolution and a
/// norm on the way around where channels or image change (option B of the paper).
///
/// * Shape: `[n, inputs, h, w] → [n, outputs, h/stride, w/stride]`, rounded up.
/// * Parameters: as in [`ResNet`]; those of the way around are `downsample.0` and `downsample.1`.
///
/// Source: He et al. (2015), arXiv:1512.03385, figure 5, left.
/// ```
/// use mapsto_models::BasicBlock;
/// use mapsto_nn::prelude::*;
/// let block = BasicBlock::new(8, 16, 2);
/// assert_eq!(block.forward(&Tensor::zeros([1, 8, 7, 6])).shape(), [1, 16, 4, 3]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = mapsto_nn)]
pub struct BasicBlock {
    /// The first convolution, 3×3, of the block's stride.
    pub conv1: Conv2d,
    /// Its norm.
    pub bn1: BatchNorm2d,
    /// The second convolution, 3×3.
    pub conv2: Conv2d,
    /// Its norm.
    pub bn2: BatchNorm2d,
    /// The way around, where the shape changes.
    pub downsample: Option<(Conv2d, BatchNorm2d)>,
}

impl BasicBlock {
    /// A block between these numbers of channels, whose first convolution has this stride.
    pub fn new(inputs: usize, outputs: usize, stride: usize) -> BasicBlock {
        let changes = stride != 1 || inputs != outputs;
        BasicBlock {
            conv1: convolution(inputs, outputs, 3, stride),
            bn1: BatchNorm2d::new(outputs),
            conv2: convolution(outputs, outputs, 3, 1),
            bn2: BatchNorm2d::new(outputs),
            downsample: changes.then(|| (convolution(inputs, outputs, 1, stride), BatchNorm2d::new(outputs))),
        }
    }
}

impl Layer for BasicBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let relu = Then::of(&Tensor::relu);
        let y = x.apply_then(&self.conv1, &[Then::of(&self.bn1), relu]); // [n, outputs, h/stride, w/stride]
        let around = match &self.downsample {
            Some((conv, norm)) => &x.apply_then(conv, &[Then::of(norm)]),
            None => x,
        };
        y.apply_then(&self.conv2, &[Then::of(&self.bn2), Then::Plus(around), relu])
    }
}

/// A convolution before a norm: no bias, for the norm has one, and the image padded so that only the stride shrinks it.
fn convolution(inputs: usize, outputs: usize, k: usize, stride: usize) -> Conv2d {
    let init = KaimingNormal::new().fan(Fan::Out);
    Conv2d::new(inputs, outputs, k).stride(stride).padding(k / 2).no_bias().init(init)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_nn::check_layer;

    #[test]
    fn a_block_keeps_or_changes_the_shape_as_asked() {
        check_layer(|| BasicBlock::new(2, 2, 1)).gives([2, 2, 4, 5], [2, 2, 4, 5]);
        check_layer(|| BasicBlock::new(2, 3, 2)).gives([2, 2, 5, 4], [2, 3, 3, 2]);
    }

    #[test]
    fn names_and_shapes_are_torchvisions() {
        let model = resnet18(1000);
        let named: Vec<String> =
            model.state_dict().into_iter().map(|(name, t)| format!("{name} {:?}", t.shape())).collect();
        assert_eq!(named.len(), 20 * 5 + 2);
        for expected in [
            "conv1.weight [64, 3, 7, 7]",
            "bn1.running_var [64]",
            "layer1.0.conv1.weight [64, 64, 3, 3]",
            "layer2.0.conv1.weight [128, 64, 3, 3]",
            "layer2.0.downsample.0.weight [128, 64, 1, 1]",
            "layer2.0.downsample.1.running_mean [128]",
            "layer4.1.bn2.bias [512]",
            "fc.weight [1000, 512]",
            "fc.bias [1000]",
        ] {
            assert!(named.iter().any(|n| n == expected), "{expected} is missing");
        }
        assert!(!named.iter().any(|n| n.starts_with("layer1.0.downsample")));
    }

    #[test]
    fn every_parameter_gets_a_gradient_and_every_stem_fits() {
        let x = Tensor::randn([2, 1, 40, 33]);
        for model in [ResNet::new([1, 2, 1, 1], 4, 3), ResNet::new([1, 1, 1, 1], 4, 3).small_images()] {
            let model = model.inputs(1);
            let grads = train(|| model.forward(&x).square().sum(..)).backward();
            for (name, p) in model.parameters() {
                let g = grads.of(&p);
                assert!(g.is_finite() && g.abs().max(..).item() > 0.0, "{name}");
            }
        }
    }

    /// Element i of the p-th parameter is `sin(0.37 i + p)` times 1/√fan_in for a weight of two or more axes; otherwise
    /// `1 + 0.2 sin` for a scale and `0.2 sin` for a shift.
    fn fill(model: &mut ResNet) {
        let mut p = 0.0;
        model.visit_mut(&mut Path::new(), &mut |path, item| {
            if let ItemMut::Param(w) = item {
                let fan: usize = w.shape()[1..].iter().product();
                let scale = path.to_string().ends_with("weight") && w.rank() == 1;
                let value = |i: usize| match (0.37 * i as f64 + p).sin() {
                    s if w.rank() > 1 => s / (fan as f64).sqrt(),
                    s => 0.2 * s + if scale { 1.0 } else { 0.0 },
                };
                let values: Vec<f64> = (0..w.len()).map(value).collect();
                w.set(&Tensor::from_vec(values, w.shape())).expect("the same shape");
                p += 1.0;
            }
        });
    }

    /// `golden/resnet.txt` holds PyTorch's numbers for the same network, weights and images; `golden/resnet.py` made it.
    #[test]
    fn it_trains_and_answers_as_pytorchs() {
        let golden = include_str!("../golden/resnet.txt");
        let numbers = |name: &str| -> Vec<f64> {
            let line = golden.lines().find_map(|l| l.strip_prefix(name)).expect("a line of that name");
            line.split_whitespace().map(|v| v.parse().expect("a number")).collect()
        };
        let images = |n: usize| -> Tensor {
            let value = |i: usize, j: usize| ((0.11 + 0.3 * i as f64) * j as f64).cos();
            let values = (0..n).flat_map(|i| (0..3 * 64 * 80).map(move |j| value(i, j))).collect();
            Tensor::from_vec(values, [n, 3, 64, 80])
        };
        let mut model = ResNet::new([1, 2, 1, 1], 4, 5);
        model.convert(DType::F64);
        fill(&mut model);
        let (x, y) = (images(4), tensor![3, 0, 2, 4]);
        let mut opt = Sgd::new(0.02);
        let losses: Vec<f64> = (0..5)
            .map(|_| {
                let loss = train(|| cross_entropy(&model.forward(&x), &y));
                opt.step(&mut model, loss.backward());
                loss.item()
            })
            .collect();
        let close = |what: &str, found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            let error = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs().max(1.0);
            let worst = found.iter().zip(expected).map(error).fold(0.0, f64::max);
            assert!(worst < 1e-7, "{what}: {found:?} instead of {expected:?}");
        };
        close("losses", &losses, &numbers("losses"));
        close("logits", &model.forward(&images(2)).to_vec::<f64>(), &numbers("logits"));
    }
}
