//! Another container on the same network.

use super::echo;
use crate::verify::observe::Observation;
use crate::verify::{Check, Outcome};

/// Containers that somebody wants kept from each other are no failure.
pub(super) fn check(check: Check, seen: &Observation, kept_apart: bool) -> Check {
    match &seen.peer {
        Some(report) if kept_apart && !echo::is_answered(report) && !echo::is_forged(report) => {
            let why = "containers on this network are kept from each other: enable_icc is off";
            check.ends(Outcome::Skip, why.to_owned())
        }
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
