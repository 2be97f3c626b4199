//! People and jobs as vectors.

use crate::seed::words;

/// Length of a [`Profile`]'s vector.
pub(crate) const PROFILE: usize = words::SKILLS.len() + words::LOCATIONS.len() + 8;

/// What a candidate offers or a job asks, in one shape for both, so that one
/// network can embed either.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    vector: Vec<f32>,
}

impl Profile {
    pub(crate) fn new(location: &str, seniority: &str, salary: i64, years: Option<i64>) -> Self {
        let mut vector = vec![0.0; PROFILE];
        if let Some(index) = words::LOCATIONS.iter().position(|name| *name == location) {
            vector[words::SKILLS.len() + index] = 1.0;
        }
        let rest = words::SKILLS.len() + words::LOCATIONS.len();
        if let Some(index) = words::SENIORITIES
            .iter()
            .position(|(name, _)| *name == seniority)
        {
            vector[rest + index] = 1.0;
        }
        vector[rest + 5] = salary as f32 / 100_000.0;
        vector[rest + 6] = years.map_or(0.0, |years| years as f32 / 10.0);
        vector[rest + 7] = 1.0;
        Self { vector }
    }

    pub(crate) fn add_skill(&mut self, skill: usize) {
        if let Some(slot) = self
            .vector
            .get_mut(skill)
            .filter(|_| skill < words::SKILLS.len())
        {
            *slot = 1.0;
        }
    }

    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// The names of the skills that both have.
    pub(crate) fn shared_skills(&self, other: &Self) -> Vec<&'static str> {
        words::SKILLS
            .iter()
            .zip(self.vector.iter().zip(&other.vector))
            .filter(|(_, (mine, theirs))| **mine > 0.0 && **theirs > 0.0)
            .map(|(name, _)| *name)
            .collect()
    }
}
