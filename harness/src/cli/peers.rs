//! `peers list`, `peers build`: which stacks can fly, and how those that come as plugins are built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use miette::{Report, miette};

use super::{Outcome, print};
use crate::stack::plugin::{self, RECIPES, Recipe};
use crate::stack::{self, Stack};

#[derive(Debug, Subcommand)]
pub(super) enum PeersCommand {
    /// List them: name, version, what their runs promise, what they are, what they need to be built
    List,
    Build(BuildArgs),
    Check(super::proof::CheckArgs),
    /// Load a plugin and say who it is: what `windtunnel` asks of a child before it loads one itself
    #[command(hide = true)]
    Probe {
        name: String,
    },
}

/// Build plugins for foreign C stacks
///
/// Each is a package of its own below `harness/peers`, with its own lock file, and ends up as `peer_<name>.so` in
/// `target/peers`, or in the folder that `WINDTUNNEL_PEERS` names.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct BuildArgs {
    /// Names from `windtunnel peers list`
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// All there are recipes for
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

pub(super) fn peers(command: PeersCommand) -> Result<Outcome, Report> {
    match command {
        PeersCommand::List => list(),
        PeersCommand::Build(args) => build(args),
        PeersCommand::Check(args) => super::proof::check(args),
        PeersCommand::Probe { name } => {
            let stack = find(&name)?;
            print(&format!("{} {}\n", stack.name(), stack.version()));
            Ok(Outcome::Good)
        }
    }
}

fn list() -> Result<Outcome, Report> {
    let mut lines: Vec<[String; 4]> = Vec::new();
    let line = |stack: &dyn Stack| {
        [stack.name(), stack.version(), &stack.determinism().to_string(), stack.about()].map(str::to_owned)
    };
    lines.extend(stack::registry().iter().map(|stack| line(&**stack)));
    let built = plugin::built();
    for name in &built {
        lines.push(match probed(name) {
            Ok(stack) => line(&*stack),
            Err(what) => [name.clone(), "-".to_owned(), "broken".to_owned(), format!("{what:?}")],
        });
    }
    for recipe in RECIPES.iter().filter(|recipe| built.iter().all(|name| name != recipe.name)) {
        let about = format!("{}; {}", recipe.about, needs(recipe));
        lines.push([recipe.name, "-", "-", &about].map(str::to_owned));
    }
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    let text: String = lines
        .iter()
        .map(|[name, version, runs, about]| format!("{name:a$}  {version:b$}  {runs:c$}  {about}\n"))
        .collect();
    print(&text);
    Ok(Outcome::Good)
}

fn needs(recipe: &Recipe) -> String {
    let needs = if recipe.needs.is_empty() { String::new() } else { format!(", needs {}", recipe.needs.join(", ")) };
    format!("not built: `windtunnel peers build {}`{needs}", recipe.name)
}

fn build(args: BuildArgs) -> Result<Outcome, Report> {
    let mut recipes = Vec::new();
    for name in &args.names {
        let known = RECIPES.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
        let recipe = plugin::recipe(name);
        recipes.push(recipe.ok_or_else(|| miette!("no plugin is called `{name}`; there are {known}"))?);
    }
    if args.all {
        recipes.extend(&RECIPES);
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    for recipe in recipes {
        let file = build_one(&source, recipe)?;
        let stack = probed(recipe.name).map_err(|error| miette!("it was built, but {error:?}"))?;
        print(&format!("{}: {} {}\n", file.display(), stack.name(), stack.version()));
    }
    Ok(Outcome::Good)
}

fn build_one(source: &Path, recipe: &Recipe) -> Result<PathBuf, Report> {
    let manifest = source.join(recipe.package).join("Cargo.toml");
    if !manifest.is_file() {
        return Err(miette!(
            help = "plugins are built in a checkout, by the `windtunnel` that was built in it",
            "there is no {}",
            manifest.display()
        ));
    }
    let folder = plugin::folder();
    let target = folder.join("build");
    let mut fetch = cargo(&manifest, "fetch");
    run(recipe, &mut fetch)?;
    let mut build = cargo(&manifest, "build");
    build.args(["--release", "--target-dir"]).arg(&target);
    if !recipe.features.is_empty() {
        build.args(["--features", &recipe.features.join(",")]);
    }
    run(recipe, &mut build)?;
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let made = target.join("release").join(format!("{prefix}peer_{}{suffix}", recipe.package));
    let file = plugin::file(recipe.name);
    // Beside its place first: a run that loads it meanwhile finds the old one or the new one, whole.
    let fresh = file.with_extension("fresh");
    std::fs::copy(&made, &fresh)
        .and_then(|_| std::fs::rename(&fresh, &file))
        .map_err(|error| miette!("cannot copy {} to {}: {error}", made.display(), file.display()))?;
    Ok(file)
}

fn cargo(manifest: &Path, command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([command, "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo
}

fn run(recipe: &Recipe, command: &mut Command) -> Result<(), Report> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| miette!("cannot start cargo: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let needs = match recipe.needs {
        [] => "it needs a C compiler".to_owned(),
        needs => format!("it needs {}: `apt-get install {}`", needs.join(", "), needs.join(" ")),
    };
    Err(miette!(help = needs, "the plugin `{}` cannot be built", recipe.name))
}

/// The stack called `name`, as words on the command line have it.
pub(super) fn find(name: &str) -> Result<std::sync::Arc<dyn Stack>, Report> {
    stack::get(name).map_err(|error| miette!(help = "`windtunnel peers list` shows all", "{error}"))
}

/// The same, but a plugin that crashes when it is loaded does so in a child, and `exec:` makes a stack of a program.
pub(super) fn probed(name: &str) -> Result<std::sync::Arc<dyn Stack>, Report> {
    if let Some(command) = name.strip_prefix("exec:") {
        return stack::program(command).map_err(|error| miette!("`{name}`: {error}"));
    }
    if plugin::file(name).is_file() {
        let own = std::env::current_exe().map_err(|error| miette!("cannot find the own program: {error}"))?;
        let child = Command::new(own).args(["peers", "probe", name]).stdin(Stdio::null()).output();
        let child = child.map_err(|error| miette!("cannot start a child: {error}"))?;
        // A child that ends by itself has said what is wrong, and so will this process.
        if child.status.code().is_none() {
            return Err(miette!(
                help = "run `windtunnel peers probe` with its name under a debugger",
                "the plugin `{name}` crashes when it is loaded: {}",
                child.status
            ));
        }
    }
    find(name)
}
