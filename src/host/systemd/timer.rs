//! Timers that are written nowhere but in systemd's own runtime directory, and gone once they are
//! stopped (`StartTransientUnit`, systemd-run(1)).

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zbus::Variant;

use super::Systemd;
use crate::error::{Doing, Error, Exit, Result};

/// A timer that starts a program, and starts it again some time after it has ended.
#[derive(Debug)]
pub struct Timer {
    /// What it is for, in `systemctl --user list-timers` and the log.
    pub description: String,
    /// The time before each start.
    pub pause: Duration,
    /// How long one run may take before systemd ends it.
    pub longest: Duration,
    /// The program's absolute path.
    pub program: String,
    /// Its arguments. Letters, digits and dashes: before 256, systemd does not quote all others in
    /// what it reads again at a daemon-reload.
    pub arguments: Vec<String>,
    /// Variables besides those that systemd gives to every unit.
    pub environment: Vec<(&'static str, String)>,
    /// Variables that systemd may give to every unit and the program must not see.
    pub without: Vec<String>,
}

type Properties<'a> = Vec<(&'a str, Variant<'a>)>;

/// Precise enough for seconds (`AccuracySec=` is a minute by default).
const ACCURACY: Duration = Duration::from_millis(100);

/// syslog(3)'s `LOG_NOTICE`: the program's words, and not two lines of systemd's for each start.
const NOTICE: i32 = 5;

/// How long a unit may take to go: what it started may just be running.
const GONE: Duration = Duration::from_secs(10);

/// How often to look whether it has gone.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Systemd {
    /// Starts a timer under the first of these names that is free, and stops the timers of the other
    /// names: there is one at each moment, even while an older one is replaced.
    ///
    /// Names are without `.timer`; the service that the timer starts has the same one.
    ///
    /// # Errors
    /// When systemd refuses.
    pub async fn start_timer(&self, names: &[String], timer: &Timer) -> Result<()> {
        let doing = || format!("start the timer of {}", timer.description);
        let deadline = Instant::now() + GONE;
        loop {
            for name in names {
                match self.try_timer(name, timer).await {
                    Ok(()) => {
                        for other in names.iter().filter(|other| *other != name) {
                            self.stop_timer(other).await;
                        }
                        return Ok(());
                    }
                    Err(zbus::Error::MethodError(error, ..))
                        if error.as_str() == "org.freedesktop.systemd1.UnitExists" => {}
                    Err(error) => return Err(error).doing(doing),
                }
            }
            if Instant::now() >= deadline {
                return Err(Error::cannot(Exit::NotApplied, doing())
                    .caused_by("units of its names are there and do not go away"));
            }
            // Two, of a run that was killed just here: one of them is enough.
            if let Some(first) = names.first() {
                self.stop_timer(first).await;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn try_timer(&self, name: &str, timer: &Timer) -> zbus::Result<()> {
        let unit = format!("{name}.timer");
        let service = format!("{name}.service");
        tracing::info!("start {unit}, by the user's systemd");
        let aux = [(service.as_str(), timer.service())];
        self.manager
            .start_transient_unit(&unit, "replace", &timer.properties(), &aux)
            .await?;
        Ok(())
    }

    /// Stops a timer; what it has started runs on. One that is not there is no error.
    pub async fn stop_timer(&self, name: &str) {
        let unit = format!("{name}.timer");
        if let Err(error) = self.manager.stop_unit(&unit, "replace").await {
            tracing::info!("stop {unit}: {error}");
        }
    }
}

impl Timer {
    /// As D-Bus has them, which is not as unit files have them: systemd:src/core/dbus-timer.c.
    fn properties(&self) -> Properties<'_> {
        let pause = micros(self.pause);
        vec![
            ("Description", self.description.as_str().into()),
            (
                "TimersMonotonic",
                vec![("OnActiveSec", pause), ("OnUnitInactiveSec", pause)].into(),
            ),
            ("AccuracyUSec", micros(ACCURACY).into()),
            ("RemainAfterElapse", false.into()),
            ("CollectMode", "inactive-or-failed".into()),
        ]
    }

    /// systemd:src/core/dbus-service.c, dbus-execute.c and dbus-unit.c.
    fn service(&self) -> Properties<'_> {
        let mut line = vec![self.program.as_str()];
        line.extend(self.arguments.iter().map(String::as_str));
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        vec![
            ("Description", self.description.as_str().into()),
            ("Type", "oneshot".into()),
            (
                "ExecStart",
                vec![(self.program.as_str(), line, false)].into(),
            ),
            ("TimeoutStartUSec", micros(self.longest).into()),
            // It may be started as often as it takes.
            ("StartLimitIntervalUSec", 0_u64.into()),
            ("Environment", environment.into()),
            ("UnsetEnvironment", self.without.clone().into()),
            ("LogLevelMax", NOTICE.into()),
            ("SyslogLevel", NOTICE.into()),
            ("CollectMode", "inactive-or-failed".into()),
        ]
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
