//! The tensors of a ggml Whisper file: names, shapes and storage types (whisper.cpp 1.8, `whisper-arch.h` and the
//! "prepare tensors" part of its loader).

use std::collections::HashMap;

use super::ggml_check::ModelShape;

/// How weights are stored: ggml's block formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WeightType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 4 bits a weight, blocks of 32 with a scale.
    Q4_0,
    /// 4 bits a weight, blocks of 32 with scale and minimum.
    Q4_1,
    /// 5 bits a weight, blocks of 32 with a scale.
    Q5_0,
    /// 5 bits a weight, blocks of 32 with scale and minimum.
    Q5_1,
    /// 8 bits a weight, blocks of 32 with a scale.
    Q8_0,
}

impl WeightType {
    /// By the `ftype` of the file's header.
    pub(super) fn of_file_type(file_type: i32) -> Option<Self> {
        Some(match file_type {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            7 => Self::Q8_0,
            8 => Self::Q5_0,
            9 => Self::Q5_1,
            _ => return None,
        })
    }

    /// ggml's number for the type, as the tensor table has it.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
        }
    }

    /// Weights a block, and bytes a block.
    fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
        }
    }

    /// The bytes of a tensor, or `None` when its rows do not divide into blocks.
    pub(super) fn bytes(self, sizes: [u64; 4]) -> Option<u64> {
        let (weights, bytes) = self.block();
        if !sizes[0].is_multiple_of(weights) {
            return None;
        }
        let elements = sizes
            .iter()
            .try_fold(1_u64, |product, size| product.checked_mul(*size))?;
        (elements / weights).checked_mul(bytes)
    }
}

/// What a tensor must look like. `sizes` are ggml's, fastest-varying first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) sizes: [u64; 4],
    pub(super) weights: WeightType,
}

/// All tensors of a model by name.
pub(super) struct Layout(HashMap<String, Tensor>);

impl Layout {
    pub(super) fn of(shape: &ModelShape) -> Self {
        let width = u64::from(shape.width);
        let convolution = if shape.weights == WeightType::F32 {
            WeightType::F32
        } else {
            WeightType::F16
        };
        let mut layout = Self(HashMap::new());
        layout.plain("encoder.positional_embedding", [width, 1500]);
        layout.put(
            "encoder.conv1.weight",
            [3, u64::from(shape.mel_bands), width, 1],
            convolution,
        );
        layout.plain("encoder.conv1.bias", [1, width]);
        layout.put("encoder.conv2.weight", [3, width, width, 1], convolution);
        layout.plain("encoder.conv2.bias", [1, width]);
        layout.norm("encoder.ln_post", width);
        layout.plain("decoder.positional_embedding", [width, 448]);
        layout.put(
            "decoder.token_embedding.weight",
            [width, u64::from(shape.vocabulary), 1, 1],
            shape.weights,
        );
        layout.norm("decoder.ln", width);
        for layer in 0..shape.encoder_layers {
            let block = format!("encoder.blocks.{layer}");
            layout.feed_forward(&block, width, shape.weights);
            layout.attention(&format!("{block}.attn"), width, shape.weights);
        }
        for layer in 0..shape.decoder_layers {
            let block = format!("decoder.blocks.{layer}");
            layout.feed_forward(&block, width, shape.weights);
            layout.attention(&format!("{block}.attn"), width, shape.weights);
            layout.attention(&format!("{block}.cross_attn"), width, shape.weights);
        }
        layout
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn tensor(&self, name: &str) -> Option<Tensor> {
        self.0.get(name).copied()
    }

    /// Every tensor, for tests that write a model.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.0.iter()
    }

    fn put(&mut self, name: &str, sizes: [u64; 4], weights: WeightType) {
        self.0.insert(name.to_owned(), Tensor { sizes, weights });
    }

    fn plain(&mut self, name: &str, [columns, rows]: [u64; 2]) {
        self.put(name, [columns, rows, 1, 1], WeightType::F32);
    }

    fn norm(&mut self, name: &str, width: u64) {
        self.plain(&format!("{name}.weight"), [width, 1]);
        self.plain(&format!("{name}.bias"), [width, 1]);
    }

    fn feed_forward(&mut self, block: &str, width: u64, weights: WeightType) {
        self.norm(&format!("{block}.mlp_ln"), width);
        self.put(
            &format!("{block}.mlp.0.weight"),
            [width, 4 * width, 1, 1],
            weights,
        );
        self.plain(&format!("{block}.mlp.0.bias"), [4 * width, 1]);
        self.put(
            &format!("{block}.mlp.2.weight"),
            [4 * width, width, 1, 1],
            weights,
        );
        self.plain(&format!("{block}.mlp.2.bias"), [width, 1]);
    }

    fn attention(&mut self, attention: &str, width: u64, weights: WeightType) {
        self.norm(&format!("{attention}_ln"), width);
        for part in ["query", "key", "value", "out"] {
            self.put(
                &format!("{attention}.{part}.weight"),
                [width, width, 1, 1],
                weights,
            );
            // Whisper's key projection has no bias.
            if part != "key" {
                self.plain(&format!("{attention}.{part}.bias"), [width, 1]);
            }
        }
    }
}
