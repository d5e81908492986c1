//! The user's systemd over D-Bus (org.freedesktop.systemd1(5)).

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant, proxy};

use crate::error::{Doing, Error, Exit, Result, cause_chain};
use crate::facts::{EnvironmentFile, Seen, Unit};

mod address;
mod private;
mod timer;

pub use address::Address;
pub use timer::Timer;

/// A manager that answers at all answers at once; `Reload` runs every generator and may take a few
/// seconds on a busy machine.
const ANSWER: Duration = Duration::from_secs(25);

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn reload(&self) -> zbus::Result<()>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        aux: &[(&str, Vec<(&str, Variant<'_>)>)],
    ) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property)]
    fn version(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn environment(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn units_load_timestamp(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn units_load_finish_timestamp(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn unit_path(&self) -> zbus::Result<Vec<String>>;
    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

/// The user's systemd.
#[derive(Debug, Clone)]
pub struct Systemd {
    connection: Connection,
    /// systemd's name on that connection.
    name: &'static str,
    /// What it says of itself, `257.9-1~deb13u1`.
    version: String,
    manager: ManagerProxy<'static>,
}

impl Systemd {
    /// Connects to the first of the addresses that systemd answers at.
    ///
    /// # Errors
    /// When it answers at none of them; each is named with its reason.
    pub async fn connect(addresses: &[Address]) -> Result<Self> {
        let mut failure = Error::cannot(Exit::NotApplied, "reach the user's systemd");
        for address in addresses {
            tracing::info!("connect to the user's systemd at {address}");
            let why = match timeout(ANSWER, Self::at(address)).await {
                Ok(Ok(systemd)) => return Ok(systemd),
                Ok(Err(error)) => cause_chain(&error).join(": "),
                Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
            };
            tracing::info!("{why}");
            failure = failure.caused_by(format!("{address}: {why}"));
        }
        Err(failure.hint("`rootless6 status` tells what is missing"))
    }

    async fn at(address: &Address) -> zbus::Result<Self> {
        let (connection, name) = address.connect().await?;
        let manager = ManagerProxy::builder(&connection)
            .destination(name)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        // A bus may have been started by hand, with no systemd on it.
        let version = manager.version().await?;
        Ok(Self {
            connection,
            name,
            version,
            manager,
        })
    }

    /// Its version, as it says itself: `257.9-1~deb13u1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Reads what the manager knows of a unit, loading it if it is not.
    ///
    /// # Errors
    /// When the manager does not answer. A unit that does not exist is [`Seen::Absent`].
    pub async fn unit(&self, name: &str) -> Result<Seen<Unit>> {
        let read = async {
            let path = self.manager.load_unit(name).await?;
            tokio::try_join!(
                self.properties(&path, "org.freedesktop.systemd1.Unit"),
                self.properties(&path, "org.freedesktop.systemd1.Service")
            )
        };
        let (unit, service) = read
            .await
            .doing(|| format!("ask the user's systemd about {name}"))?;
        let unit = unit_from(name, &unit, &service);
        if unit.load_state == "not-found" {
            return Ok(Seen::Absent);
        }
        Ok(Seen::Is(unit))
    }

    /// When it read its files last, in microseconds since 1970, as far as it tells: at its start, or
    /// at the last reload, of which older ones keep no record.
    pub async fn has_read_files(&self) -> Option<u64> {
        let (started, reloaded) = tokio::join!(
            self.manager.units_load_finish_timestamp(),
            self.manager.units_load_timestamp()
        );
        let last = reloaded.ok()?.max(started.unwrap_or_default());
        Some(last).filter(|last| *last > 0)
    }

    /// The directories that units and drop-ins are looked for in, the first one first.
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn search_path(&self) -> Result<Vec<String>> {
        self.manager
            .unit_path()
            .await
            .doing(|| "ask the user's systemd where it looks for units")
    }

    /// The environment that the manager gives to every unit (environment.d(5), `set-environment`).
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn environment(&self) -> Result<Vec<(String, String)>> {
        let environment = self
            .manager
            .environment()
            .await
            .doing(|| "ask the user's systemd for its environment")?;
        Ok(assignments(environment.into_iter()))
    }

    async fn properties(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
    ) -> zbus::Result<HashMap<String, OwnedVariant>> {
        self.connection
            .call_method(
                Some(self.name),
                path.as_str(),
                Some("org.freedesktop.DBus.Properties"),
                "GetAll",
                &interface,
            )
            .await?
            .body()
            .deserialize()
    }

    /// `daemon-reload`
    ///
    /// # Errors
    /// When the manager refuses or does not answer.
    pub async fn reload(&self) -> Result<()> {
        tracing::info!("daemon-reload, by the user's systemd");
        self.manager
            .reload()
            .await
            .doing(|| "make the user's systemd read its unit files again")
    }

    /// Restarts a unit, or starts it, and waits until the job is over.
    ///
    /// The start limit is reset first: three starts within a minute would be the end of it. `asked`
    /// is called once systemd has the job.
    ///
    /// # Errors
    /// When the job ends other than well, or not by the deadline.
    pub async fn restart(&self, unit: &str, deadline: Instant, asked: impl FnOnce()) -> Result<()> {
        // A unit that has not failed has nothing to reset; that is no error of ours.
        let _ = self.manager.reset_failed_unit(unit).await;
        let doing = format!("restart {unit}");
        let call = async {
            let job = self.manager.restart_unit(unit, "replace").await?;
            asked();
            Ok(job)
        };
        self.job(&doing, deadline, call).await
    }

    /// Whether a job of a unit is waiting or under way.
    ///
    /// # Errors
    /// When the manager does not answer.
    pub async fn has_job(&self, unit: &str) -> Result<bool> {
        let read = async {
            let path = self.manager.load_unit(unit).await?;
            self.properties(&path, "org.freedesktop.systemd1.Unit")
                .await
        };
        let unit = read
            .await
            .doing(|| format!("ask the user's systemd about jobs of {unit}"))?;
        let job: Option<(u32, OwnedObjectPath)> = self::read(&unit, "Job");
        Ok(job.is_some_and(|(id, _)| id != 0))
    }

    /// Restarts a unit and does not wait for what comes of it.
    ///
    /// # Errors
    /// When the manager refuses.
    pub async fn kick(&self, unit: &str) -> Result<()> {
        let _ = self.manager.reset_failed_unit(unit).await;
        self.manager
            .restart_unit(unit, "replace")
            .await
            .map(|_| ())
            .doing(|| format!("restart {unit}"))
    }

    /// Stops a unit and waits until the job is over.
    ///
    /// # Errors
    /// When the job ends other than well, or not by the deadline.
    pub async fn stop(&self, unit: &str, deadline: Instant) -> Result<()> {
        let doing = format!("stop {unit}");
        self.job(&doing, deadline, self.manager.stop_unit(unit, "replace"))
            .await
    }

    /// A connection may subscribe once; it has if this was not its first job.
    async fn subscribe(&self) -> zbus::Result<()> {
        match self.manager.subscribe().await {
            Err(zbus::Error::MethodError(name, ..))
                if name.as_str() == "org.freedesktop.systemd1.AlreadySubscribed" =>
            {
                Ok(())
            }
            subscribed => subscribed,
        }
    }

    /// Calls for a job and waits for its `JobRemoved`, whose stream is open before the call: a job
    /// may be over before its path is even known.
    async fn job(
        &self,
        doing: &str,
        deadline: Instant,
        call: impl Future<Output = zbus::Result<OwnedObjectPath>>,
    ) -> Result<()> {
        tracing::info!("{doing}, by the user's systemd");
        let run = async {
            let mut removed = self.manager.receive_job_removed().await?;
            self.subscribe().await?;
            let job = call.await?;
            while let Some(signal) = removed.next().await {
                let over = signal.args()?;
                if over.job == job {
                    return Ok::<_, zbus::Error>(Some(over.result.clone()));
                }
            }
            Ok(None)
        };
        let result = match timeout_at(deadline, run).await {
            Ok(result) => result.doing(|| doing)?,
            Err(_) => {
                return Err(Error::cannot(Exit::NotApplied, doing)
                    .caused_by("systemd's job was not over by the deadline"));
            }
        };
        match result.as_deref() {
            Some("done") => Ok(()),
            Some(other) => Err(Error::cannot(Exit::NotApplied, doing)
                .caused_by(format!("systemd's job ended with {other:?}"))),
            None => Err(Error::cannot(Exit::NotApplied, doing)
                .caused_by("the bus went away while waiting for systemd's job")),
        }
    }
}

type Properties = HashMap<String, OwnedVariant>;

fn unit_from(name: &str, unit: &Properties, service: &Properties) -> Unit {
    Unit {
        name: name.to_owned(),
        load_state: text(unit, "LoadState"),
        load_error: read::<(String, String)>(unit, "LoadError")
            .map(|(_, message)| message)
            .unwrap_or_default(),
        unit_file_state: text(unit, "UnitFileState"),
        active_state: text(unit, "ActiveState"),
        sub_state: text(unit, "SubState"),
        result: text(service, "Result"),
        fragment: Some(PathBuf::from(text(unit, "FragmentPath")))
            .filter(|path| !path.as_os_str().is_empty()),
        drop_ins: texts(unit, "DropInPaths").map(PathBuf::from).collect(),
        needs_reload: read(unit, "NeedDaemonReload").unwrap_or(false),
        environment: assignments(texts(service, "Environment")),
        environment_files: read::<Vec<(String, bool)>>(service, "EnvironmentFiles")
            .unwrap_or_default()
            .into_iter()
            .map(|(path, optional)| EnvironmentFile {
                path: path.into(),
                optional,
                variables: Seen::Absent,
            })
            .collect(),
        unset: texts(service, "UnsetEnvironment").collect(),
        exec_start: exec_start(service),
        main_pid: read(service, "MainPID").unwrap_or(0),
        invocation_id: read::<Vec<u8>>(unit, "InvocationID")
            .unwrap_or_default()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        restarts: read(service, "NRestarts").unwrap_or(0),
        start_timeout: read::<u64>(service, "TimeoutStartUSec")
            .filter(|micros| *micros != u64::MAX)
            .map(|micros| micros / 1_000_000),
        ..Unit::default()
    }
}

fn assignments(texts: impl Iterator<Item = String>) -> Vec<(String, String)> {
    texts
        .filter_map(|assignment| {
            let (name, value) = assignment.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// `a(sasbttttuii)`: path, arguments, whether failure is ignored, then times and results.
type ExecCommand = (String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32);

fn exec_start(service: &Properties) -> Vec<String> {
    read::<Vec<ExecCommand>>(service, "ExecStart")
        .and_then(|commands| commands.into_iter().next())
        .map(|command| command.1)
        .unwrap_or_default()
}

fn text(properties: &Properties, name: &str) -> String {
    read(properties, name).unwrap_or_default()
}

fn texts(properties: &Properties, name: &str) -> impl Iterator<Item = String> {
    read::<Vec<String>>(properties, name)
        .unwrap_or_default()
        .into_iter()
}

fn read<T>(properties: &Properties, name: &str) -> Option<T>
where
    T: TryFrom<Variant<'static>>,
{
    let value: Variant<'static> = properties.get(name)?.try_clone().ok()?.into();
    T::try_from(value).ok()
}
