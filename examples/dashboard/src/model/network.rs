//! A multilayer perceptron.

use std::fmt;

use super::dense::Dense;
use crate::seed::Random;

/// Layers with a rectifier between them.
pub(crate) struct Network {
    layers: Vec<Dense>,
}

impl Network {
    /// A network of these widths, from the first input to the last output. The
    /// name chooses the weights.
    pub(crate) fn new(name: &str, widths: &[usize]) -> Self {
        let mut random = Random::new(name);
        let layers = widths
            .windows(2)
            .map(|pair| Dense::new(pair[0], pair[1], &mut random))
            .collect();
        Self { layers }
    }

    /// The last layer's outputs.
    pub(crate) fn outputs(&self, input: &[f32]) -> Vec<f32> {
        let mut current = input.to_vec();
        let mut next = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                rectify(&mut current);
            }
            layer.apply(&current, &mut next);
            std::mem::swap(&mut current, &mut next);
        }
        current
    }

    /// The first output as a probability.
    pub(crate) fn probability(&self, input: &[f32]) -> f32 {
        let logit = self.outputs(input).first().copied().unwrap_or_default();
        1.0 / (1.0 + (-logit).exp())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("layers", &self.layers.len())
            .finish()
    }
}

fn rectify(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_answers() {
        let input = [0.5, -1.0, 2.0];
        let one = Network::new("test", &[3, 8, 2]).outputs(&input);
        let two = Network::new("test", &[3, 8, 2]).outputs(&input);
        let other = Network::new("other", &[3, 8, 2]).outputs(&input);
        assert_eq!(one, two);
        assert_ne!(one, other);
        assert_eq!(one.len(), 2);
    }

    #[test]
    fn a_probability_lies_between_nothing_and_certainty() {
        let network = Network::new("test", &[2, 16, 1]);
        for x in [-100.0, -1.0, 0.0, 1.0, 100.0] {
            assert!((0.0..=1.0).contains(&network.probability(&[x, 1.0])));
        }
    }
}
