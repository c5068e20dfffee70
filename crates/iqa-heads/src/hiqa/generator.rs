//! Distorted image to hallucinated reference.

use burn::module::Module;
use burn::nn::Initializer;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use iqa_kernels::{Conv2d, channels_first, channels_last};
use iqa_nn::Statistics;

use super::config::{DEPTH, GeneratorConfig, GeneratorOutput, PATCH_MULTIPLE};
use super::layers::{ConvNorm, Residual, conv, convolve, pool2, upsample2};

/// The hallucination network: a residual stem, stacked hourglasses at a quarter of the resolution, and a decoder.
/// Create it with [`GeneratorConfig::init`].
///
/// Source: Lin and Wang 2018, figure 2 and section 3.1: the order of the layers and where the size is halved and
/// doubled; hourglasses of depth 4 with one residual unit in each place after Newell et al. 2016, without heat maps.
/// Neither gives the width of the stem (64), the 7x7 kernel at its start, or the linear output.
#[derive(Module, Debug)]
pub struct Generator {
    stem: ConvNorm,
    residual_full: Residual,
    halve: ConvNorm,
    residual_half: Residual,
    residual_quarter: Residual,
    stacks: Vec<Stack>,
    decode_half: Residual,
    decode_full: Residual,
    output: Conv2d,
    #[module(skip)]
    config: GeneratorConfig,
}

/// What a generator makes of a batch.
#[derive(Clone, Debug)]
pub struct Hallucination {
    /// The hallucinated references, `[n, 3, height, width]`, in the scale of `[-1, 1]` but not clamped to it.
    pub image: Tensor<4>,
    /// "H_{5,2}" of the paper: features after the fifth encoder unit of the last hourglass,
    /// `[n, 4 * width, height / 64, width / 64]`.
    pub bottleneck: Tensor<4>,
}

/// An hourglass with what leads to the next one.
#[derive(Module, Debug)]
struct Stack {
    hourglass: Hourglass,
    residual: Residual,
    linear: ConvNorm,
    /// Back to the trunk; the last stack passes on what `linear` gives.
    link: Option<Conv2d>,
}

/// Down by four halvings and up again, with a side path at each size.
#[derive(Module, Debug)]
struct Hourglass {
    levels: Vec<Level>,
    bottom: Residual,
}

#[derive(Module, Debug)]
struct Level {
    side: Residual,
    down: Residual,
    up: Residual,
}

impl GeneratorConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Generator {
        let width = self.width;
        let trunk = self.bottleneck();
        let residual = |channels, out| Residual::new(channels, out, device);
        let stacks = (1..=self.stacks)
            .map(|stack| Stack {
                hourglass: Hourglass {
                    levels: (0..DEPTH)
                        .map(|_| Level {
                            side: residual(trunk, trunk),
                            down: residual(trunk, trunk),
                            up: residual(trunk, trunk),
                        })
                        .collect(),
                    bottom: residual(trunk, trunk),
                },
                residual: residual(trunk, trunk),
                linear: ConvNorm::new([trunk, trunk], 1, 1, true, device),
                link: (stack < self.stacks).then(|| conv([trunk, trunk], 1, 1, true, device)),
            })
            .collect();
        let mut output = conv([width, 3], 3, 1, true, device);
        if self.output == GeneratorOutput::Residual {
            output.weight = Initializer::Zeros.init(output.weight.dims(), device);
            output.bias = Some(Initializer::Zeros.init([3], device));
        }
        Generator {
            stem: ConvNorm::new([3, width], 7, 1, true, device),
            residual_full: residual(width, width),
            halve: ConvNorm::new([width, width], 3, 2, true, device),
            residual_half: residual(width, 2 * width),
            residual_quarter: residual(2 * width, trunk),
            stacks,
            decode_half: residual(trunk, 2 * width),
            decode_full: residual(2 * width, width),
            output,
            config: self.clone(),
        }
    }
}

impl Generator {
    /// The configuration the network was made from.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The device that holds the weights.
    pub fn device(&self) -> Device {
        self.output.weight.device()
    }

    /// Folds batch norm into the convolutions before it: the same pictures by the running statistics, faster. It can then be
    /// neither trained nor saved.
    #[must_use]
    pub fn fuse(self) -> Self {
        let stack = |stack: Stack| Stack {
            hourglass: stack.hourglass.fuse(),
            residual: stack.residual.fuse(),
            linear: stack.linear.fuse(),
            ..stack
        };
        Self {
            stem: self.stem.fuse(),
            residual_full: self.residual_full.fuse(),
            halve: self.halve.fuse(),
            residual_half: self.residual_half.fuse(),
            residual_quarter: self.residual_quarter.fuse(),
            stacks: self.stacks.into_iter().map(stack).collect(),
            decode_half: self.decode_half.fuse(),
            decode_full: self.decode_full.fuse(),
            ..self
        }
    }

    /// Hallucinates the references of a batch.
    ///
    /// # Shapes
    /// - `distorted`: `[n, 3, height, width]`, RGB in `[-1, 1]`, both sides multiples of 64
    ///
    /// # Panics
    /// For another shape.
    pub fn forward(&self, distorted: Tensor<4>, statistics: Statistics) -> Hallucination {
        let [_, channels, height, width] = distorted.dims();
        assert!(
            channels == 3 && height.is_multiple_of(PATCH_MULTIPLE) && width.is_multiple_of(PATCH_MULTIPLE),
            "images must be [n, 3, height, width] with sides that 64 divides"
        );
        let input = channels_last(distorted);
        let full = self.residual_full.forward(self.stem.forward(input.clone(), statistics), statistics);
        let half = self.residual_half.forward(self.halve.forward(full.clone(), statistics), statistics);
        let mut x = self.residual_quarter.forward(pool2(half.clone()), statistics);
        let mut bottleneck = None;
        for stack in &self.stacks {
            let (y, deepest) = stack.hourglass.forward(x.clone(), statistics);
            let y = stack.linear.forward(stack.residual.forward(y, statistics), statistics);
            x = match &stack.link {
                Some(link) => x + convolve(link, y),
                None => y,
            };
            bottleneck = Some(deepest);
        }
        // A quarter of the resolution cannot say what to add to single pixels.
        let beside = |x: Tensor<4>, encoder: Tensor<4>| match self.config.output {
            GeneratorOutput::Residual => x + encoder,
            GeneratorOutput::Linear | GeneratorOutput::Tanh => x,
        };
        let x = beside(self.decode_half.forward(upsample2(x), statistics), half);
        let x = beside(self.decode_full.forward(upsample2(x), statistics), full);
        let x = convolve(&self.output, x);
        let image = match self.config.output {
            GeneratorOutput::Linear => x,
            GeneratorOutput::Tanh => tanh(x),
            GeneratorOutput::Residual => input + x,
        };
        let bottleneck = bottleneck.expect("a generator has at least one hourglass");
        Hallucination { image: channels_first(image), bottleneck: channels_first(bottleneck) }
    }
}

impl Hourglass {
    fn fuse(self) -> Self {
        let level =
            |level: Level| Level { side: level.side.fuse(), down: level.down.fuse(), up: level.up.fuse() };
        Self { levels: self.levels.into_iter().map(level).collect(), bottom: self.bottom.fuse() }
    }

    /// The result and the features at the bottom.
    fn forward(&self, mut x: Tensor<4>, statistics: Statistics) -> (Tensor<4>, Tensor<4>) {
        let mut sides = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            sides.push(level.side.forward(x.clone(), statistics));
            x = level.down.forward(pool2(x), statistics);
        }
        let bottom = self.bottom.forward(x, statistics);
        let mut x = bottom.clone();
        for (level, side) in self.levels.iter().zip(sides).rev() {
            x = side + upsample2(level.up.forward(x, statistics));
        }
        (x, bottom)
    }
}
