//! What the program is for, on real systems: see tests/lab/lab.
//!
//! Each test has a lab of its own, a Debian with systemd, RootlessKit and rootless dockerd. Where a
//! lab cannot run (it needs root) a test prints `NOT RUN` and why; under `CI=true` it fails.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests run programs, print what they do, and may panic"
)]

#[path = "../lab/responder/behaviour.rs"]
mod behaviour;
#[path = "../world/random.rs"]
mod random;

mod bad_input;
mod bookworm;
mod caller;
mod containers;
mod crash_points;
mod doctor;
mod doctor_executes;
mod effective;
mod faults;
mod harness;
mod healthy;
mod interrupted;
mod loopback;
mod merge;
mod odd_values;
mod ping;
mod places;
mod platforms;
mod readme;
mod rehearsal;
mod renumbering;
mod rollback;
mod row;
mod settings;
mod setup;
mod stand_in;
mod start_up;
mod table;
mod undo;
mod units;
mod upgrades;
mod verify;
mod watchdog;
mod wizard;
