//! Which files are of the last run: ratios of figures from different days say nothing.

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

/// What was read, and what was older than it may be.
#[derive(Debug)]
pub struct Fresh<T> {
    pub kept: Vec<T>,
    /// By name, as `name` told them.
    pub stale: Vec<String>,
    /// When the last file was written.
    pub newest: SystemTime,
}

impl<T> Fresh<T> {
    /// Keeps what was written within `span` before the newest. `None` if there is nothing.
    pub fn of(found: Vec<(SystemTime, T)>, span: Duration, name: impl Fn(&T) -> String) -> Option<Self> {
        let newest = found.iter().map(|(written, _)| *written).max()?;
        let is_kept = |written: SystemTime| newest.duration_since(written).is_ok_and(|age| age <= span);
        let (kept, stale): (Vec<_>, Vec<_>) = found.into_iter().partition(|(written, _)| is_kept(*written));
        let mut stale: Vec<_> = stale.iter().map(|(_, it)| name(it)).collect();
        stale.sort();
        let kept = kept.into_iter().map(|(_, it)| it).collect();
        Some(Self { kept, stale, newest })
    }

    /// What to tell of those that are left out, if any are.
    ///
    /// # Errors
    ///
    /// With `strict`, if any are.
    pub fn warning(&self, span: Duration, strict: bool) -> Result<Option<String>> {
        if self.stale.is_empty() {
            return Ok(None);
        }
        let warning = format!(
            "{} more than {} older than the newest: {}",
            match self.stale.len() {
                1 => "1 figure is".to_owned(),
                count => format!("{count} figures are"),
            },
            humantime::format_duration(span),
            self.stale.join(", ")
        );
        if strict {
            bail!("{warning}; run those again, or allow a longer --span");
        }
        Ok(Some(format!("{warning}; left out")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_is_left_out() {
        let at = |minutes: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes);
        let found = vec![(at(100), 'b'), (at(40), 'a'), (at(39), 'z'), (at(38), 'y')];
        let span = Duration::from_secs(60 * 60);
        let fresh = Fresh::of(found, span, ToString::to_string).expect("there are some");
        assert_eq!(fresh.kept, ['b', 'a']);
        assert_eq!(fresh.newest, at(100));
        let warning = fresh.warning(span, false).expect("not strict").expect("two are stale");
        assert_eq!(warning, "2 figures are more than 1h older than the newest: y, z; left out");
        assert!(fresh.warning(span, true).is_err());

        let fresh = Fresh::of(vec![(at(1), 'a')], Duration::ZERO, ToString::to_string).expect("there is one");
        assert!(fresh.warning(span, true).is_ok_and(|warning| warning.is_none()));
        assert!(Fresh::of(Vec::<(SystemTime, char)>::new(), span, ToString::to_string).is_none());
    }
}
