//! rootless6 makes IPv6 work in rootless Docker, proves it, and leaves a way back.
//!
//! # The flow
//!
//! Data goes one way. Each stage is a plain value that the next one takes:
//!
//! ```text
//! inspect ──▶ diagnose ──▶ plan ──▶ rehearse ──▶ apply ──▶ verify ──▶ report
//!  Facts      Findings     Plan   (no downtime)  journal   Checks     text / JSON
//! ```
//!
//! - [`inspect`] reads the user's systemd over D-Bus, the Engine, RootlessKit, the kernel and the
//!   tools into [`facts::Facts`]. What cannot be read is unknown, with the reason.
//! - [`diagnose`] turns facts into findings, and [`plan`] facts and a [`request::Intent`] into a
//!   closed list of changes. Both are pure, and so is [`capability`], the table of what each
//!   version can do.
//! - [`rehearse`] starts a throw-away RootlessKit as planned and probes from inside, while dockerd runs
//!   on undisturbed. What it shows overrules the table.
//! - [`apply`] writes its journal before each effect, reads the effective settings back before the
//!   restart, and can take everything back; where this process does not live to do so, a timer of the
//!   user's systemd does, or the next command.
//! - [`verify`] probes from the host, from RootlessKit's netns and from a container, and judges.
//! - [`report`] renders one value as text or as JSON.
//!
//! # What the flow stands on
//!
//! - [`host`] is the outside world: systemd, the Engine, netlink, processes. It decides nothing.
//! - [`caller`] is who runs it: root becomes the user that `--user` names, before all else.
//! - [`vantage`] is this program as it runs inside another namespace or a container; `main` goes
//!   there before any thread exists.
//! - [`probe`] is the prober: packets and sessions are pure, sockets apart. [`ping`] is what people
//!   ask of it by hand, from any vantage point, and what comes back.
//! - [`uplink`] gives RootlessKit's tap interface IPv6 where RootlessKit itself does not, and a
//!   follower ([`commands::follow`]) keeps it the host's own.
//! - [`commands`] are the recipes, one for each command; [`cli`] and [`wizard`] fill a
//!   [`request::Request`] for them.
//!
//! Arrows go down this page or to `host`. The pure modules touch no file, no environment variable,
//! no socket and no clock; `tests/architecture.rs` holds that.

pub mod apply;
pub mod caller;
pub mod capability;
pub mod cli;
pub mod commands;
pub mod diagnose;
pub mod error;
pub mod facts;
pub mod host;
pub mod hostile;
pub mod inspect;
pub mod ping;
pub mod plan;
pub mod probe;
pub mod rehearse;
pub mod report;
pub mod request;
pub mod ui;
pub mod uplink;
pub mod vantage;
pub mod verify;
pub mod wizard;
