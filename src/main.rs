//! The command `poller`: arguments → settings → detach → log → app; an error is printed once.

use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;

use poller::api::client::{AskError, Client};
use poller::app::{self, Listing, Role, RoleError};
use poller::cli::checks::Asked;
use poller::cli::health::Strictness;
use poller::cli::out::Out;
use poller::cli::viewstats::{Form, Rhythm, ViewOptions, viewstats};
use poller::cli::{Action, Command, Explain, Options, Output, follow, health, once, top};
use poller::config::Settings;
use poller::config::given::{Given, LogFormat, LogLevel};
use poller::config::settings::SettingsError;
use poller::config::sources::Sources;
use poller::config::substitute::Variables;
use poller::daemon::{self, Detached, Notifier};
use poller::lock::Lock;
use poller::log::{self, Destination, Rotation};
use poller::view::Lists;
use poller::view::table::Address;
use poller::view::text::Colour;

/// Gives memory back to the system that polls no longer need; the one of the system does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long `health` may take: less than the 5 s that containers give it.
const HEALTH: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let options = match Options::of_process() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut out = Out::standard();
    if !is_anything_asked(&options) {
        // The help says what to ask for; a reader that left has seen enough.
        let _ = Options::command().print_help();
        return ExitCode::SUCCESS;
    }
    match run(options, &mut out) {
        Ok(code) => code,
        Err(failure) => {
            out.word(&format!("poller: {}", failure.reason));
            ExitCode::from(failure.code)
        }
    }
}

/// Why there is no result.
struct Failure {
    code: u8,
    reason: String,
}

impl Failure {
    fn of(code: u8, error: &dyn std::fmt::Display) -> Self {
        Self { code, reason: error.to_string() }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let code = if matches!(error, SettingsError::Unreadable { .. }) { 1 } else { 2 };
        Self::of(code, &error)
    }
}

fn is_anything_asked(options: &Options) -> bool {
    let action = &options.action;
    options.command.is_some()
        || options.output.follow
        || [action.start, action.viewstats, action.foreground, action.stop].contains(&true)
        || [action.reload, action.check].contains(&true)
}

fn run(options: Options, out: &mut Out) -> Result<ExitCode, Failure> {
    match &options.command {
        Some(Command::Completions { shell }) => {
            return print(out, &poller::cli::completions(*shell));
        }
        Some(Command::Man) => return print(out, &poller::cli::man_page()),
        _ => {}
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::of(1, &format!("the current directory: {error}")))?;
    let (given, config, variables) = (options.given, options.config, Variables::of_process());
    let mut sources = Sources { given, config, variables, here };
    let mut command = options.command;
    if let Some(Command::Explain(asked)) = &command {
        return explain(asked, &mut sources, out);
    }
    if let Some(asked) = command.take() {
        match asked.asked() {
            Ok(asked) => return check_once(asked, &mut sources, out),
            Err(other) => command = Some(other),
        }
    }
    if let Some(Command::Db(asked)) = &command {
        sources.given = asked.given.clone().or(sources.given);
        let settings = sources.settings()?;
        let text = app::db(asked, &settings, &sources).map_err(|error| role_failed(&error))?;
        return print(out, &text);
    }
    if let Some((role, given)) = command.as_ref().and_then(role) {
        sources.given = given.clone().or(sources.given);
        return serve_role(role, &sources.settings()?);
    }
    let action = &options.action;
    let polls = action.start || action.foreground || action.check;
    let settings = if polls && command.is_none() {
        sources.settings()?
    } else {
        sources.settings_of_reader()?
    };
    let door = asks_cluster(command.as_ref(), *action, &settings)
        .then(|| app::cluster_door(&settings))
        .transpose()
        .map_err(|error| role_failed(&error))?;
    let client = match &door {
        Some(door) => door.client.clone(),
        None => Client::of(&settings.data),
    };
    if let Some(command) = command {
        return asked(command, &settings, &client, out);
    }
    act(options.action, options.output, (settings, sources, client), out)
}

/// Whether the cluster is asked whose database `settings` name, and not a daemon of this machine.
fn asks_cluster(command: Option<&Command>, action: Action, settings: &Settings) -> bool {
    let starts = action.start || action.foreground || action.check;
    let acts = action.stop || action.reload;
    settings.cluster.postgres.is_some()
        && match command {
            None => action.viewstats && !starts && !acts,
            Some(command) => {
                matches!(command, Command::Top | Command::Targets(_) | Command::Token(_))
            }
        }
}

/// The role of a cluster that `command` asks for, if it does, and the settings behind it.
const fn role(command: &Command) -> Option<(Role, &Given)> {
    match command {
        Command::Scheduler(given) => Some((Role::Scheduler, given)),
        Command::Checker(given) => Some((Role::Checker, given)),
        Command::Recorder(given) => Some((Role::Recorder, given)),
        _ => None,
    }
}

/// Works as `role` of a cluster, attached, until a signal ends that.
fn serve_role(role: Role, settings: &Settings) -> Result<ExitCode, Failure> {
    let _log = start_log(settings, Destination::Stderr)?;
    let signals = listen()?;
    app::serve(role, settings, signals, Notifier::new()).map_err(|error| role_failed(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn role_failed(error: &RoleError) -> Failure {
    Failure { code: error.code, reason: error.reason.clone() }
}

/// Does what flags ask of the daemon.
fn act(
    action: Action,
    output: Output,
    (settings, sources, client): (Settings, Sources, Client),
    out: &mut Out,
) -> Result<ExitCode, Failure> {
    if action.stop {
        return stop(&settings, out);
    }
    if action.reload {
        let word = daemon::reload(&settings.data).map_err(|error| Failure::of(1, &error))?;
        return print(out, &format!("{}\n", word.trim_end()));
    }
    if action.check {
        let text = app::check(&settings).map_err(|error| Failure::of(error.code(), &error))?;
        return print(out, &text);
    }
    if action.start || action.foreground {
        match start(settings.clone(), sources, action.foreground, out)? {
            Some(code) => return Ok(code),
            None if !action.viewstats && !output.follow => return Ok(ExitCode::SUCCESS),
            None => {}
        }
    }
    if output.follow {
        return Ok(follow::follow(&client, out));
    }
    let view = ViewOptions {
        form: if output.json { Form::Json } else { Form::Text },
        rhythm: if output.watch { Rhythm::Watch } else { Rhythm::Once },
        lists: if output.all { Lists::All } else { Lists::Short },
    };
    let directory = client.directory();
    Ok(viewstats(&client, view, || app::stored_summary(directory, view.lists), out))
}

/// Checks one target and explains each step.
fn explain(asked: &Explain, sources: &mut Sources, out: &mut Out) -> Result<ExitCode, Failure> {
    let unknown = |reason: String| Failure { code: once::UNKNOWN, reason };
    if let Some(ca) = &asked.ca {
        sources.given.ca = Some(ca.clone());
    }
    let settings = sources.settings().map_err(|error| unknown(error.to_string()))?;
    let setting = app::setting(&settings, sources).map_err(|error| unknown(error.to_string()))?;
    let (text, code) = app::explain(asked, &settings, setting).map_err(unknown)?;
    print(out, &text).map(|_| code)
}

/// Runs the checks that a command asks for, once.
fn check_once(asked: Asked, sources: &mut Sources, out: &mut Out) -> Result<ExitCode, Failure> {
    if let Some(ca) = &asked.run.ca {
        sources.given.ca = Some(ca.clone());
    }
    let settings = sources.settings().map_err(|error| Failure::of(once::UNKNOWN, &error))?;
    let setting = app::setting(&settings, sources);
    let setting = setting.map_err(|error| Failure::of(once::UNKNOWN, &error))?;
    once::run_once(asked, setting, out).map_err(|reason| Failure { code: once::UNKNOWN, reason })
}

fn asked(
    command: Command,
    settings: &Settings,
    client: &Client,
    out: &mut Out,
) -> Result<ExitCode, Failure> {
    let shown = match command {
        Command::Health { live } => {
            let strictness = if live { Strictness::Live } else { Strictness::Whole };
            return Ok(health::health(client, HEALTH, strictness, out));
        }
        Command::Top => {
            let is_coloured = out.style.colour == Colour::Ansi;
            let seen = top::top(client, is_coloured);
            return seen.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::of(1, &error));
        }
        Command::Targets(targets) => {
            let address = if out.is_terminal { Address::Short } else { Address::Whole };
            let shown = app::show_targets(client.directory(), client, &targets, address);
            shown.map(|text| (text, None))
        }
        Command::Sql(sql) => app::show_sql(&settings.data, &sql),
        Command::Token(asked) => app::token(&settings.data, client, &asked),
        _ => Ok((String::new(), None)),
    };
    let (text, notice) = shown.map_err(|reason| Failure::of(1, &reason))?;
    let printed = print(out, &text)?;
    if let Some(notice) = notice {
        out.word(&format!("poller: {notice}"));
    }
    Ok(printed)
}

fn print(out: &mut Out, text: &str) -> Result<ExitCode, Failure> {
    match out.result(text) {
        Err(error) if !Out::is_over(&error) => {
            Err(Failure::of(1, &format!("cannot write: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn stop(settings: &Settings, out: &mut Out) -> Result<ExitCode, Failure> {
    let least = settings.grace + Duration::from_secs(15);
    match daemon::stop(&settings.data, least).map_err(|error| Failure::of(1, &error))? {
        daemon::Stopped::Ended(pid) => {
            let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            print(out, &format!("the daemon{pid} has stopped\n"))
        }
        daemon::Stopped::NotRunning => {
            let directory = settings.data.clone();
            Err(Failure::of(1, &AskError::NotRunning { directory }))
        }
    }
}

/// Starts the daemon; `None` in the process that goes on because the daemon is another one.
fn start(
    settings: Settings,
    sources: Sources,
    is_foreground: bool,
    out: &mut Out,
) -> Result<Option<ExitCode>, Failure> {
    let listing =
        Listing::before_detaching(&settings).map_err(|error| start_failed(error.into()))?;
    if is_foreground {
        let lock = Lock::take(&settings.data).map_err(|error| Failure::of(1, &error))?;
        let log = start_log(&settings, Destination::Stderr)?;
        let booted = app::boot(settings, sources, listing, lock).map_err(start_failed)?;
        let signals = listen()?;
        out.word(&format!("poller: {}", booted.word));
        booted.keeper.run(signals, &log, Notifier::new());
        return Ok(Some(ExitCode::SUCCESS));
    }
    if let Some(reason) = daemon::refusal(|name| std::env::var(name).ok()) {
        return Err(Failure::of(1, &reason));
    }
    match daemon::detach(None) {
        Detached::Parent(Ok(word)) => {
            out.word(&format!("poller: {word}"));
            Ok(None)
        }
        Detached::Parent(Err(error)) => Err(Failure { code: error.code, reason: error.reason }),
        Detached::Failed => Ok(Some(ExitCode::FAILURE)),
        Detached::Child(ready) => Ok(Some(serve_detached(settings, sources, listing, ready))),
    }
}

/// The daemon's own life, after it was split off.
fn serve_detached(
    settings: Settings,
    sources: Sources,
    listing: Listing,
    ready: daemon::Ready,
) -> ExitCode {
    let begun = begin_detached(settings, sources, listing);
    match begun {
        Ok((booted, signals, log)) => {
            tracing::info!("{}", booted.word);
            ready.ready(&booted.word);
            booted.keeper.run(signals, &log, Notifier::new());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            ready.failed(failure.code, &failure.reason);
            ExitCode::from(failure.code)
        }
    }
}

type Begun = (app::Booted, tokio::sync::mpsc::Receiver<poller::signal::Signal>, log::Log);

fn begin_detached(
    settings: Settings,
    sources: Sources,
    listing: Listing,
) -> Result<Begun, Failure> {
    let lock = Lock::take(&settings.data).map_err(|error| Failure::of(1, &error))?;
    let (max_bytes, files) = (settings.log.size, settings.log.files.get());
    let rotation = Rotation { max_bytes, files };
    let destination = Destination::File(settings.data.join("poller.log"), rotation);
    let log = start_log(&settings, destination)?;
    let signals = listen()?;
    let booted = app::boot(settings, sources, listing, lock).map_err(|error| {
        tracing::error!("not started: {error}");
        start_failed(error)
    })?;
    Ok((booted, signals, log))
}

#[expect(clippy::needless_pass_by_value, reason = "it maps what went wrong")]
fn start_failed(error: app::StartError) -> Failure {
    Failure::of(error.code(), &error)
}

fn start_log(settings: &Settings, destination: Destination) -> Result<log::Log, Failure> {
    let level = match settings.log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let format = match settings.log.format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    let filter = format!("warn,poller={level}");
    log::start(&log::Settings { destination, format, filter })
        .map_err(|error| Failure::of(1, &format!("cannot open the log: {error}")))
}

fn listen() -> Result<tokio::sync::mpsc::Receiver<poller::signal::Signal>, Failure> {
    match poller::signal::listen() {
        Ok((listener, signals)) => {
            // It listens until the process ends.
            std::mem::forget(listener);
            Ok(signals)
        }
        Err(error) => Err(Failure::of(1, &format!("cannot listen to signals: {error}"))),
    }
}
