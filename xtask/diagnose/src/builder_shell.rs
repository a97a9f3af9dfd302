//! A shell in a container of the builder image, as xtask prepares it.

use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;
use xtask_core::exec::Cmd;

/// Value of `--diffoscope-command`: a JSON object.
#[derive(Clone, Debug)]
pub(crate) struct BuilderShell {
    /// `folder`: a path that does not exist yet; the container sees the folder as its current one.
    pub(crate) folder: PathBuf,
    /// `run`: starts bash in the container; the arguments of bash follow.
    pub(crate) run: Cmd,
    /// `stop`: stops the container.
    pub(crate) stop: Cmd,
}

impl FromStr for BuilderShell {
    type Err = String;

    fn from_str(text: &str) -> Result<BuilderShell, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let argv = |name: &str| {
            let words = value[name].as_array().into_iter().flatten();
            let words: Option<Vec<&str>> = words.map(Value::as_str).collect();
            match words.as_deref() {
                Some([program, args @ ..]) => Ok(Cmd::new(program).args(args)),
                _ => Err(format!("`{name}`: expected a list of words")),
            }
        };
        let folder = value["folder"].as_str().ok_or("`folder`: expected a path")?;
        Ok(BuilderShell { folder: folder.into(), run: argv("run")?, stop: argv("stop")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_read_and_faults_are_named() {
        let text =
            r#"{"folder": "/a b", "run": ["docker", "run"], "stop": ["docker", "stop", "x"]}"#;
        let shell: BuilderShell = text.parse().unwrap();
        assert_eq!(shell.folder, PathBuf::from("/a b"));
        assert_eq!(
            (shell.run.argv(), shell.stop.argv().len()),
            (vec!["docker".into(), "run".into()], 3)
        );
        let error = text.replace("\"run\"", "\"walk\"").parse::<BuilderShell>().unwrap_err();
        assert!(error.contains("`run`"), "{error}");
        assert!("{".parse::<BuilderShell>().is_err());
    }
}
