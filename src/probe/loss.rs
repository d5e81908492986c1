//! Is what gets lost bearable? Wald's sequential probability ratio test over the echoes in the
//! order in which they went out. Pure.
//!
//! A path that loses one echo in ten is healthy, one that loses half is broken, and a test with a
//! fixed number of echoes is either slow or wrong. This one ends as early as its errors allow
//! (A. Wald, Sequential Tests of Statistical Hypotheses, 1945): after 12 answers in a row, or after
//! five losses without any.

use serde::{Deserialize, Serialize};

/// What the losses of a run come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Too few echoes, or a loss between the two.
    #[default]
    Undecided,
    /// As on a healthy path: 10 % or less.
    Bearable,
    /// As on a broken path: 50 % or more.
    Heavy,
}

/// What became of an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may still be answered.
    Open,
    Answered,
    Lost,
}

/// What a loss counts: the logarithm of how much more likely it is at 50 % than at 10 %.
const LOST: f64 = 1.609_437_912_434_1; // ln(0.5 / 0.1)
/// The same for an answer.
const ANSWERED: f64 = -0.587_786_664_902_119; // ln(0.5 / 0.9)
/// Where the sum decides, so that either error happens at most once in a thousand times.
const DECIDES: f64 = 6.906_754_778_648_554; // ln((1 - 1e-3) / 1e-3)

/// The verdict on echoes in the order in which they went out. It never changes as open ones are
/// decided: they count as lost against `Bearable`, and as answered against `Heavy`.
pub(super) fn judge(fates: impl Iterator<Item = Fate>) -> Loss {
    let (mut best, mut worst) = (Some(0.0), Some(0.0));
    for fate in fates {
        let (at_best, at_worst) = match fate {
            Fate::Open => (ANSWERED, LOST),
            Fate::Answered => (ANSWERED, ANSWERED),
            Fate::Lost => (LOST, LOST),
        };
        best = best.map(|sum| sum + at_best);
        worst = worst.map(|sum| sum + at_worst);
        if worst.is_some_and(|sum| sum <= -DECIDES) {
            return Loss::Bearable;
        }
        if best.is_some_and(|sum| sum >= DECIDES) {
            return Loss::Heavy;
        }
        // Had all open ones turned out so, the test would have ended here, with the other verdict.
        best = best.filter(|sum| *sum > -DECIDES);
        worst = worst.filter(|sum| *sum < DECIDES);
    }
    Loss::Undecided
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scripted::Chance;
    use super::Fate::{Answered, Lost, Open};
    use super::*;

    fn judged(fates: &[Fate]) -> Loss {
        judge(fates.iter().copied())
    }

    #[test]
    fn twelve_answers_are_bearable_and_five_losses_heavy() {
        assert_eq!(judged(&[Answered; 11]), Loss::Undecided);
        assert_eq!(judged(&[Answered; 12]), Loss::Bearable);
        assert_eq!(judged(&[Lost; 4]), Loss::Undecided);
        assert_eq!(judged(&[Lost; 5]), Loss::Heavy);
        assert_eq!(judged(&[]), Loss::Undecided);
    }

    #[test]
    fn a_loss_takes_three_answers_more() {
        let mut fates = vec![Lost];
        fates.extend([Answered; 14]);
        assert_eq!(judged(&fates), Loss::Undecided);
        fates.push(Answered);
        assert_eq!(judged(&fates), Loss::Bearable);
    }

    #[test]
    fn open_echoes_decide_neither_way() {
        assert_eq!(judged(&[Open; 100]), Loss::Undecided);
        let mut fates = vec![Open];
        fates.extend([Answered; 14]);
        assert_eq!(judged(&fates), Loss::Undecided);
        fates.push(Answered);
        assert_eq!(
            judged(&fates),
            Loss::Bearable,
            "one more loss changes nothing"
        );
    }

    /// How many of 20,000 runs end with each verdict, and how many echoes they took in all.
    fn runs_at(loss: f64) -> ([u32; 2], usize) {
        let mut chance = Chance::default();
        let (mut verdicts, mut echoes) = ([0; 2], 0);
        for _ in 0..20_000 {
            let mut fates = Vec::new();
            let verdict = loop {
                fates.push(if chance.next() < loss { Lost } else { Answered });
                match judged(&fates) {
                    Loss::Undecided => {}
                    verdict => break verdict,
                }
            };
            verdicts[usize::from(verdict == Loss::Heavy)] += 1;
            echoes += fates.len();
        }
        (verdicts, echoes)
    }

    #[test]
    fn wrong_verdicts_are_rarer_than_one_in_two_hundred() {
        for (loss, wrong) in [(0.0, 1), (0.05, 1), (0.1, 1), (0.5, 0), (0.6, 0), (0.9, 0)] {
            let (verdicts, echoes) = runs_at(loss);
            assert!(verdicts[wrong] < 100, "{verdicts:?} at a loss of {loss}");
            assert!(echoes < 20_000 * 30, "{echoes} echoes at a loss of {loss}");
        }
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        proptest::collection::vec(prop_oneof![Just(Open), Just(Answered), Just(Lost)], 0..80)
    }

    proptest! {
        #[test]
        fn no_open_echo_can_change_a_verdict(
            fates in fates(),
            outcomes in proptest::collection::vec(any::<bool>(), 80),
        ) {
            let decided: Vec<Fate> = fates.iter().zip(outcomes).map(|(fate, answered)| match fate {
                Open if answered => Answered,
                Open => Lost,
                fate => *fate,
            }).collect();
            let early = judged(&fates);
            prop_assert!(early == Loss::Undecided || early == judged(&decided));
        }

        #[test]
        fn later_echoes_change_no_verdict(fates in fates(), more in fates()) {
            let early = judged(&fates);
            let all: Vec<Fate> = fates.into_iter().chain(more).collect();
            prop_assert!(early == Loss::Undecided || early == judged(&all));
        }
    }
}
