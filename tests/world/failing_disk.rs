//! A disk that is full, read-only or broken at any one moment: the program says so, and the old
//! state stands, or the new one does; nothing is torn.

use std::fmt;

use super::parallel::each;
use super::setting::{SETUP, Setting, UNDO};
use super::strace::{Fault, Point, points, strike};

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
    let each = |point: Point| {
        ERRORS.iter().map(move |error| Case {
            point: point.clone(),
            error,
        })
    };
    points(setting, arguments)
        .into_iter()
        .flat_map(each)
        .collect()
}

#[test]
fn a_setup_that_cannot_write_leaves_what_was_there() {
    each(&cases(&Setting::new(), SETUP), |case| {
        let fault = Fault::Fails(case.error);
        let (setting, ran) = strike(&case.point, fault, SETUP, Setting::new);
        let context = format!("{:?} {}", ran.status, ran.said);
        match ran.status {
            // What fails is not always needed, such as the removal of a name that is gone.
            Some(0) => setting.is_whole(&[&setting.tree()], &context),
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
    let set_up = || {
        let setting = Setting::new();
        setting.runs_well(SETUP);
        setting
    };
    each(&cases(&set_up(), UNDO), |case| {
        let (setting, ran) = strike(&case.point, Fault::Fails(case.error), UNDO, set_up);
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
