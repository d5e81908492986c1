//! Another container on the same network.

use super::echo;
use crate::verify::observe::Observation;
use crate::verify::{Check, Outcome};

pub(super) fn check(check: Check, seen: &Observation) -> Check {
    match &seen.peer {
        Some(report) => echo::judged(check, report),
        None if seen.network.global().next().is_none() => {
            let why = "containers on this network have no IPv6 address";
            check.ends(Outcome::Skip, why.to_owned())
        }
        None => {
            let why = "no other container was tried";
            check.ends(Outcome::Unknown, why.to_owned())
        }
    }
}
