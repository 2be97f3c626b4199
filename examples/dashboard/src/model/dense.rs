//! One fully connected layer.

use crate::seed::Random;

/// Weights by input: each input adds its row to all outputs, which compilers
/// turn into vector instructions without being allowed to reorder sums.
pub(super) struct Dense {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    /// He's initialisation, right for the rectifier that follows.
    pub(super) fn new(inputs: usize, outputs: usize, random: &mut Random) -> Self {
        let deviation = (2.0 / inputs as f64).sqrt();
        Self {
            weights: (0..inputs * outputs)
                .map(|_| (random.normal() * deviation) as f32)
                .collect(),
            bias: (0..outputs)
                .map(|_| (random.normal() * 0.05) as f32)
                .collect(),
        }
    }

    /// Computes the outputs for `input` into `output`.
    pub(super) fn apply(&self, input: &[f32], output: &mut Vec<f32>) {
        output.clear();
        output.extend_from_slice(&self.bias);
        for (x, row) in input.iter().zip(self.weights.chunks_exact(self.bias.len())) {
            // After a rectifier about half of the inputs are zero.
            if *x != 0.0 {
                for (sum, weight) in output.iter_mut().zip(row) {
                    *sum += x * weight;
                }
            }
        }
    }
}
