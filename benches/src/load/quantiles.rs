//! Quantiles of what was measured.

/// Collects values.
#[derive(Debug, Default, Clone)]
pub struct Quantiles(Vec<f64>);

impl Quantiles {
    /// Adds one.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value below which the share `q` lies; NaN without values.
    pub fn at(&mut self, q: f64) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let last = self.0.len().saturating_sub(1);
        let index = (last as f64 * q).round() as usize;
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}
