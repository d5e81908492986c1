//! The real program in a made-up world: its own user's home, a systemd of the test's own on
//! `$XDG_RUNTIME_DIR/systemd/private`, a dockerd that starts only with settings that go together,
//! and faults wherever a disk or a `kill -9` can strike. No lab is needed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that panics has failed; it runs the program as another user"
)]

mod bus;
mod dockerd;
mod edited_meanwhile;
mod engine;
mod manager;
mod parallel;
mod paths;
mod random;
mod sequences;
mod setting;
mod strace;
mod surroundings;
mod together;
mod tree;

mod at_once;
mod bad_journals;
mod clock;
mod crash_points;
mod failing_disk;
mod seen_again;
mod signals;
