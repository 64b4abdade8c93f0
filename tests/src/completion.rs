//! Completion scripts: their text, from the argument definitions, and their
//! names, as each shell looks for them.

use clap_complete::aot::{Shell as Generator, generate};

use crate::tool::Tool;

/// A shell that we complete for.
#[derive(Debug, Clone, Copy)]
pub struct Shell {
    /// Its command, and its folder in `completions/`.
    pub name: &'static str,
    generator: Generator,
}

/// Every shell that we complete for.
pub const SHELLS: &[Shell] = &[
    Shell { name: "bash", generator: Generator::Bash },
    Shell { name: "zsh", generator: Generator::Zsh },
    Shell { name: "fish", generator: Generator::Fish },
];

impl Shell {
    /// The script's path in `completions/`; the last component is what the shell
    /// looks for when it completes `tool` for the first time.
    #[must_use]
    pub fn file(&self, tool: &str) -> String {
        match self.generator {
            Generator::Zsh => format!("zsh/_{tool}"),
            Generator::Fish => format!("fish/{tool}.fish"),
            _ => format!("{}/{tool}", self.name),
        }
    }

    /// The script for `tool`.
    #[must_use]
    pub fn script(&self, tool: &Tool) -> Vec<u8> {
        let mut script = Vec::new();
        let mut command = common::cli::with_one_help((tool.command)());
        generate(self.generator, &mut command, tool.name, &mut script);
        let images = Images::of(&command);
        match self.generator {
            _ if images.is_empty() => script,
            Generator::Bash => [script, images.bash(tool.name).into_bytes()].concat(),
            Generator::Fish => [script, images.fish(tool.name).into_bytes()].concat(),
            Generator::Zsh => images.zsh(&script),
            _ => script,
        }
    }
}

/// The value names of operands and options that name images.
const OF_IMAGES: [&str; 5] = ["IMAGE", "IMAGE [ARG]", "PARENT", "SRC", "DST"];

/// The command that lists the names.
const LISTING: &str = "img-ls --complete 2>/dev/null";

/// Where a command line names images.
struct Images {
    /// The operands that do, by their names in the definitions.
    operands: Vec<String>,
    /// The options that do, and those that take other values.
    options: Vec<String>,
    others: Vec<String>,
}

impl Images {
    fn of(command: &clap::Command) -> Self {
        let names_images = |argument: &clap::Arg| {
            let names = argument.get_value_names().unwrap_or_default();
            names.iter().any(|name| OF_IMAGES.contains(&name.as_str()))
        };
        let mut images = Self { operands: Vec::new(), options: Vec::new(), others: Vec::new() };
        for argument in command.get_arguments() {
            let long = argument.get_long().map(|long| format!("--{long}"));
            let short = argument.get_short().map(|short| format!("-{short}"));
            let is_image = names_images(argument);
            if argument.is_positional() {
                let id = argument.get_id().to_string();
                images.operands.extend(is_image.then_some(id));
            } else if argument.get_action().takes_values() {
                let list = if is_image { &mut images.options } else { &mut images.others };
                list.extend(long.into_iter().chain(short));
            }
        }
        images
    }

    fn is_empty(&self) -> bool {
        self.operands.is_empty() && self.options.is_empty()
    }

    /// A function around the generated one. The word and the option before it are taken from
    /// the whole line, as a colon or an equals sign in it ends a word of bash's.
    fn bash(&self, tool: &str) -> String {
        let generated = format!("_{}", tool.replace('-', "__"));
        let mut cases = String::new();
        if !self.options.is_empty() {
            cases += &format!("        {}) ;;\n", self.options.join("|"));
        }
        if !self.others.is_empty() {
            let others = self.others.join("|");
            cases += &format!("        {others}) {generated} \"$@\"; return ;;\n");
        }
        if self.operands.is_empty() {
            cases += &format!("        *) {generated} \"$@\"; return ;;\n");
        }
        format!(
            r#"
{generated}_images() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" word before option= kept= name
    word="${{line##*[[:space:]]}}"
    line="${{line%"$word"}}"
    line="${{line%"${{line##*[![:space:]]}}"}}"
    before="${{line##*[[:space:]]}}"
    case "$word" in
        --*=*) before="${{word%%=*}}" option="${{word%%=*}}=" word="${{word#*=}}" ;;
        -*) {generated} "$@"; return ;;
    esac
    case "$before" in
{cases}    esac
    # Bash keeps all up to the last of its separators.
    [[ $COMP_WORDBREAKS == *=* ]] && kept="$option"
    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && kept="$option${{word%:*}}:"
    COMPREPLY=()
    while IFS= read -r name; do
        [[ $name == "$word"* ]] || continue
        name="$option$name"
        COMPREPLY+=("${{name#"$kept"}}")
    done < <({LISTING})
}}
complete -F {generated}_images -o bashdefault -o default {tool}
"#
        )
    }

    fn fish(&self, tool: &str) -> String {
        let mut text = String::new();
        if !self.operands.is_empty() {
            text += &format!("complete -c {tool} -a '({LISTING})'\n");
        }
        for option in self.options.iter().filter_map(|option| option.strip_prefix("--")) {
            text += &format!("complete -c {tool} -l {option} -x -a '({LISTING})'\n");
        }
        text
    }

    /// The generated script with another action where images are named.
    fn zsh(&self, script: &[u8]) -> Vec<u8> {
        let script = String::from_utf8_lossy(script);
        let is_named = |line: &str| {
            let operand = line.trim_start_matches(['\'', '*', ':']);
            let is_operand = line.len() - operand.len() >= 2
                && self.operands.iter().any(|id| operand.starts_with(&format!("{id} -- ")));
            let of_option = |name: &&str| line.contains(&format!("]:{name}:"));
            is_operand || OF_IMAGES.iter().any(of_option)
        };
        let mut left = self.operands.len() + self.options.len();
        let line = |line: &str| {
            if !is_named(line) {
                return line.to_owned();
            }
            let ends = [":_default'", ":_files'"];
            let end = ends.iter().find(|end| line.contains(**end));
            let end = end.unwrap_or_else(|| panic!("no action to replace: {line}"));
            left = left.checked_sub(1).expect("no more lines than operands and options");
            line.replace(end, ":_layerutils_images'")
        };
        let function = format!(
            "_layerutils_images() {{\n    local -a names\n    names=(${{(f)\"$({LISTING})\"}})\n    \
             compadd -a names\n    _files\n}}\n\n"
        );
        let mut text: Vec<String> = script.lines().map(line).collect();
        assert_eq!(left, 0, "clap writes operands and options of zsh otherwise: {script}");
        // After the line that says what the script is for.
        text.insert(1, format!("\n{}", function.trim_end()));
        (text.join("\n") + "\n").into_bytes()
    }
}
