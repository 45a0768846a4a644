//! The steps of a task, and how long each took.

use crate::failure::Result;
use std::time::{Duration, Instant};

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    finished: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    failed: bool,
}

impl Steps {
    /// Announces a step, runs it and notes its time. A failed step is for the caller to pass on with `?`.
    pub(crate) fn run(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result) -> Result {
        let name = name.into();
        println!("\n==> {name}");
        #[expect(
            clippy::disallowed_methods,
            reason = "the wall time of a build step is what is shown"
        )]
        let started = Instant::now();
        let outcome = step();
        let step = Step {
            name,
            took: started.elapsed(),
            failed: outcome.is_err(),
        };
        println!("{}", step.line());
        self.finished.push(step);
        outcome
    }

    /// Prints all steps and the sum of their times, where there was more than one.
    pub(crate) fn print_summary(&self) {
        if self.finished.len() > 1 {
            println!("\n{}", self.summary());
        }
    }

    fn summary(&self) -> String {
        let lines = self.finished.iter().map(Step::line);
        let total = self.finished.iter().map(|step| step.took).sum::<Duration>();
        lines
            .chain([format!("    {:>8.1} s  in all", total.as_secs_f64())])
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Step {
    fn line(&self) -> String {
        let verdict = if self.failed { "  FAILED" } else { "" };
        format!(
            "    {:>8.1} s  {}{verdict}",
            self.took.as_secs_f64(),
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn a_failure_is_passed_on_and_marked() {
        let mut steps = Steps::default();
        steps.run("one", || Ok(())).unwrap();
        steps
            .run("two", || Err(Failure::Metadata("bad".into())))
            .unwrap_err();
        let summary = steps.summary();
        assert_eq!(summary.lines().count(), 3);
        assert!(summary.lines().next().unwrap().ends_with("one"));
        assert!(summary.lines().nth(1).unwrap().ends_with("two  FAILED"));
    }
}
