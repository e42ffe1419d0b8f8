//! The log: one line per event, `2026-11-22T14:11:54.591Z 4711 notice text`, to the standard output or a file.
//!
//! Levels are Redis's, mapped onto tracing's: `debug` shows everything of ours, `notice` what an operator wants to
//! read, and libraries are heard from `warning` on.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock;
use crate::config::LogLevel;

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

fn filter(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    };
    Targets::new().with_default(ours.min(LevelFilter::WARN)).with_target("nuthatch", ours)
}

/// Starts the log of the process. A second call changes nothing: there is one log.
pub(crate) fn start(level: LogLevel, file: Option<&Path>) -> io::Result<()> {
    match file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            init(level, std::sync::Mutex::new(file));
        }
        None => init(level, io::stdout),
    }
    Ok(())
}

fn init(level: LogLevel, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = layer().event_format(Plain).with_writer(writer);
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        // The first log is the only one, so nobody else has set this.
        let _ = LEVEL.set(handle);
    }
}

/// Changes the level.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        // Fails only if the log is gone.
        let _ = handle.reload(filter(level));
    }
}

/// The form of a line.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "notice",
            Level::DEBUG => "verbose",
            Level::TRACE => "debug",
        };
        let now = clock::since_epoch();
        let time = DateTime { seconds: now.as_secs(), milliseconds: now.subsec_millis() };
        write!(out, "{time} {} {level} ", std::process::id())?;
        cx.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// A point in time, printed as ISO 8601 in UTC.
struct DateTime {
    seconds: u64,
    milliseconds: u32,
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds / 86_400, self.seconds % 86_400);
        // Days to a date in the Gregorian calendar: eras of 400 years that begin in March, so that the leap day is the
        // last of its year. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let milliseconds = self.milliseconds;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_795_356_714, "2026-11-22T14:11:54.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(DateTime { seconds, milliseconds: 7 }.to_string(), text);
        }
    }
}
