//! A disk that is full, read-only or broken at any one moment: the program says so, and the old
//! state stands, or the new one does; nothing is torn.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};

/// In turn: the program asks no error which of these it is.
const ERRORS: &[&str] = &["ENOSPC", "EROFS", "EIO"];

struct Case {
    point: Point,
    error: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.error, self.point)
    }
}

fn cases(setting: &Setting, arguments: &[&str]) -> Vec<Case> {
    let errors = ERRORS.iter().cycle();
    let points = points(setting, arguments).into_iter();
    let cases = points
        .zip(errors)
        .map(|(point, error)| Case { point, error });
    cases.collect()
}

#[test]
fn a_setup_that_cannot_write_leaves_what_was_there() {
    let new = Setting::set_up().tree();
    each(&cases(&Setting::new(), SETUP), |case| {
        let fault = Fault::Fails(case.error);
        let (setting, ran) = strike(&case.point, fault, SETUP, Setting::new);
        let context = format!("{:?} {}", ran.status, ran.said);
        match ran.status {
            // What fails is not always needed, such as the removal of a name that is gone.
            Some(0) => setting.is_whole(&[&new], &context),
            Some(3) => {
                assert!(ran.said.contains("error: "), "{context}");
                setting.is_whole(&[setting.beginning()], &context);
            }
            Some(4) => assert!(ran.said.contains("`rootless6 undo --yes`"), "{context}"),
            _ => panic!("{context}"),
        }
        setting.runs_well(UNDO);
        setting.is_whole(
            &[setting.beginning()],
            &format!("{context}\nand after undo"),
        );
    });
}

#[test]
fn an_undo_that_cannot_write_can_be_tried_again() {
    each(&cases(&Setting::set_up(), UNDO), |case| {
        let fault = Fault::Fails(case.error);
        let (setting, ran) = strike(&case.point, fault, UNDO, Setting::set_up);
        let context = format!("{:?} {}", ran.status, ran.said);
        match ran.status {
            Some(0) => setting.is_whole(&[setting.beginning()], &context),
            Some(3 | 4) => assert!(ran.said.contains("error: "), "{context}"),
            _ => panic!("{context}"),
        }
        setting.runs_well(UNDO);
        setting.is_whole(
            &[setting.beginning()],
            &format!("{context}\nand after undo"),
        );
    });
}
