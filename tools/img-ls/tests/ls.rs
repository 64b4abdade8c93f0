//! `img-ls` through its binary.

use layerutils_tests::place::Place;

#[test]
fn images_are_listed_newest_first_with_what_they_share() {
    let place = Place::new(env!("CARGO_BIN_EXE_img-ls"));
    assert_eq!(place.done(&["-q"]), "");
    let old = place.put_image(&["base"], "1999-01-01T00:00:00Z", &[1000]);
    let new = place.put_image(&["x.y/app:1", "app"], "2000-01-01T00:00:00Z", &[1000, 234]);
    let table = place.done(&[]);
    let expected = format!(
        "REPOSITORY   TAG       IMAGE ID       PLATFORM      CREATED   SIZE      SHARED SIZE\n\
         app          latest    {new}   linux/amd64   N/A       1.23kB    1kB\n\
         x.y/app      1         {new}   linux/amd64   N/A       1.23kB    1kB\n\
         base         latest    {old}   linux/amd64   N/A       1kB       1kB\n",
        new = new.short(),
        old = old.short(),
    );
    assert_eq!(table, expected);
    assert_eq!(place.done(&["-q", "--no-trunc", "base"]), format!("{old}\n"));
    assert_eq!(place.done(&["--format", "{{.Tag}} {{.UniqueSize}}", "x.y/app"]), "1 234B\n");
    let line = place.done(&["--json", "base:latest"]);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    assert_eq!(object["size_bytes"], 1000);
    let (listed, said) = place.failed(&["-q", "nope", "base"]);
    assert_eq!(
        (listed, said.as_str()),
        (format!("{}\n", old.short()), "img-ls: nope: no such image\n")
    );
}
