//! How much data.

/// The number of rows that a new database gets.
#[derive(Clone, Debug)]
pub struct Volume {
    pub(crate) companies: i64,
    pub(crate) recruiters_per_company: i64,
    pub(crate) interviewers_per_company: i64,
    pub(crate) rules_per_interviewer: i64,
    pub(crate) jobs: i64,
    pub(crate) candidates: i64,
    pub(crate) scores: i64,
    pub(crate) interviews: i64,
}

impl Volume {
    /// A platform of a realistic size: 20 000 candidates, 200 000 scores,
    /// 60 000 interviews.
    #[must_use]
    pub const fn full() -> Self {
        Self {
            companies: 24,
            recruiters_per_company: 5,
            interviewers_per_company: 40,
            rules_per_interviewer: 500,
            jobs: 12_000,
            candidates: 20_000,
            scores: 200_000,
            interviews: 60_000,
        }
    }

    /// The same shape with a hundredth of the rows: what tests need.
    #[must_use]
    pub const fn small() -> Self {
        Self {
            companies: 3,
            recruiters_per_company: 2,
            interviewers_per_company: 4,
            rules_per_interviewer: 25,
            jobs: 60,
            candidates: 120,
            scores: 1_200,
            interviews: 360,
        }
    }
}

impl Default for Volume {
    fn default() -> Self {
        Self::full()
    }
}
