//! The units for systemd call the program as it is: its commands and flags, and the settings that their heads name.

use crate::support::binsync;
use std::{fs, path::Path};

#[test]
fn units_call_what_there_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/systemd");
    let mut units = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let unit = fs::read_to_string(entry.unwrap().path()).unwrap();
        let call = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let call = call.replace("%S", "/x").replace("%i", "name");
        let mut words = call.split_whitespace();
        assert!(words.next().unwrap().ends_with("/binsync"), "{call}");
        // Help is given where all before it can be meant.
        let words = words.filter(|word| !word.starts_with('$')).chain(["--help"]);
        let help = binsync(words).ok();
        let named = unit.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let settings: Vec<_> = named.filter(|word| word.starts_with("BINSYNC_")).collect();
        assert!(settings.len() >= 3, "{settings:?}");
        for name in settings.into_iter().filter(|name| *name != "BINSYNC_APPLY") {
            assert!(help.contains(&format!("[env: {name}")), "{name} is no setting of {call}");
        }
        assert!(unit.contains("Type=notify\n"), "{call}");
        units += 1;
    }
    assert_eq!(units, 2);
}
