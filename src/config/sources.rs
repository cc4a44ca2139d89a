//! `Sources`: flags, environment and settings file, from which settings are read as often as wanted.

use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::config::given::{Given, SecretText};
use crate::config::settings::SettingsError;
use crate::config::substitute::Variables;
use crate::config::targets::source::Source;

/// Name of the settings file that is read when none is named.
pub const FILE: &str = "poller.toml";

/// Where settings come from. What they name is looked for in the folder where the process began,
/// wherever it runs by then.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What flags and environment name.
    pub given: Given,
    /// The settings file that was named.
    pub config: Option<PathBuf>,
    /// The environment.
    pub variables: Variables,
    /// The folder where the process began.
    pub here: PathBuf,
}

impl Sources {
    /// All settings, as the sources say now.
    ///
    /// # Errors
    /// The settings file cannot be read, or something is wrong; all of it is told.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let settings = Settings::load(self.given(), self.file().as_deref(), &self.variables)?;
        Ok(self.absolute(settings))
    }

    /// The settings of those who only ask a daemon or a store: where it is, and for the rest what
    /// is built in.
    ///
    /// # Errors
    /// The settings file cannot be read, or is wrong in this.
    pub fn settings_of_reader(&self) -> Result<Settings, SettingsError> {
        let file = self.file();
        let settings = Settings::of_reader(self.given.clone(), file.as_deref(), &self.variables)?;
        Ok(self.absolute(settings))
    }

    /// What flags and environment give; a file that they name a secret by is found wherever the
    /// process goes.
    fn given(&self) -> Given {
        let mut given = self.given.clone();
        let cluster = &mut given.cluster;
        let secrets =
            [&mut given.api.jwt_secret, &mut cluster.postgres, &mut cluster.kafka_password];
        for SecretText(text) in secrets.into_iter().flatten() {
            if let Some(path) = text.strip_prefix("file:") {
                *text = format!("file:{}", self.here.join(path).display()).into();
            }
        }
        given
    }

    /// The settings file: the one that is named, else [`FILE`] where the process began or in the
    /// service manager's configuration directory (`CONFIGURATION_DIRECTORY`), if it is there.
    fn file(&self) -> Option<PathBuf> {
        if let Some(named) = &self.config {
            return Some(self.here.join(named));
        }
        let of_service = self.variables.value("CONFIGURATION_DIRECTORY").unwrap_or_default();
        let folders = std::iter::once(&*self.here)
            .chain(of_service.split(':').filter(|folder| !folder.is_empty()).map(Path::new));
        folders.map(|folder| folder.join(FILE)).find(|path| path.exists())
    }

    fn absolute(&self, mut settings: Settings) -> Settings {
        settings.data = self.here.join(settings.data);
        settings.ca = settings.ca.map(|ca| self.here.join(ca));
        settings.api.modules = settings.api.modules.map(|file| self.here.join(file));
        let tls = settings.api.tls.take();
        settings.api.tls = tls.map(|(cert, key)| (self.here.join(cert), self.here.join(key)));
        if let Source::File(list) = &mut settings.urls {
            *list = self.here.join(&list);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fields::Fields;

    fn sources(here: &Path, variables: &[(&str, &str)]) -> Sources {
        Sources {
            given: Given::default(),
            config: None,
            variables: variables.iter().copied().collect(),
            here: here.to_path_buf(),
        }
    }

    #[test]
    fn a_settings_file_lies_where_the_process_began_or_where_the_service_manager_says() {
        let (here, service) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let named = service.path().to_str().unwrap();
        let sources = sources(here.path(), &[("CONFIGURATION_DIRECTORY", named)]);
        assert_eq!(sources.file(), None);
        std::fs::write(service.path().join(FILE), "keep = \"1d\"").unwrap();
        assert_eq!(sources.file(), Some(service.path().join(FILE)));
        std::fs::write(here.path().join(FILE), "keep = \"2d\"").unwrap();
        assert_eq!(sources.file(), Some(here.path().join(FILE)));
    }

    #[test]
    fn relative_paths_start_where_the_process_began() {
        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join(FILE), "[defaults.tls]\nca = \"ca.pem\"").unwrap();
        let settings = sources(here.path(), &[]).settings().unwrap();
        assert_eq!(settings.urls, Source::File(here.path().join("urls.json")));
        let plan = settings.rules.plan(&Fields::default(), &[]);
        assert_eq!(plan.tls.ca, Some(here.path().join("ca.pem")));
    }

    #[test]
    fn a_file_that_holds_a_secret_is_found_wherever_the_process_goes() {
        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join("url"), "postgres://h/d\n").unwrap();
        std::fs::write(here.path().join("password"), "s3cret\n").unwrap();
        let mut sources = sources(here.path(), &[]);
        let named = |file: &str| Some(SecretText(format!("file:{file}").into()));
        let cluster = &mut sources.given.cluster;
        (cluster.postgres, cluster.kafka_user) = (named("url"), Some("u".to_owned()));
        cluster.kafka_password = named("password");
        let settings = sources.settings().unwrap().cluster;
        assert_eq!(settings.postgres.unwrap().text(), "postgres://h/d");
        assert_eq!(settings.kafka.sasl.unwrap().2.text(), "s3cret");
    }

    #[test]
    fn who_only_asks_needs_no_secret_of_the_file() {
        let here = tempfile::tempdir().unwrap();
        let text = "data = \"kept\"\nproxy = \"${NOT_SET}\"\ncolour = 1\n\
                    [defaults.headers]\nX-Key = \"file:none\"";
        std::fs::write(here.path().join(FILE), text).unwrap();
        let sources = sources(here.path(), &[]);
        assert_eq!(sources.settings_of_reader().unwrap().data, here.path().join("kept"));
        assert!(sources.settings().is_err());
    }
}
