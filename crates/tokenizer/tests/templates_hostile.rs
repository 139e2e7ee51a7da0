//! Templates that want time, memory or stack without end, and what stops each.

use std::time::{Duration, Instant};

use serde_json::json;
use tokenizer::template::Limits;
use tokenizer::{ChatTemplate, TemplateError, TemplateInput};

/// Reads and renders on a thread with the small stack that servers give theirs.
fn run(source: String, input: TemplateInput) -> Result<String, TemplateError> {
    let work = move || ChatTemplate::new(&source).and_then(|template| template.render(&input));
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .unwrap();
    thread.join().expect("no panic and no overflow")
}

fn user() -> TemplateInput {
    TemplateInput {
        messages: json!([{"role": "user", "content": "Hi"}]),
        ..Default::default()
    }
}

/// Each must end in a limit or an ordinary error, soon.
#[test]
fn hostile_templates_are_stopped() {
    let forever = "{% for a in range(99999) %}{% for b in range(99999) %}";
    let end = "{% endfor %}{% endfor %}";
    let ns = "{% set ns = namespace(x='aaaaaaaa', l=[0, 0], d={}) %}";
    let templates = [
        "{% for i in range(10**9) %}x{% endfor %}".to_owned(),
        "{{ range(10**30) }}".to_owned(),
        format!("{forever}{end}"),
        format!("{forever}some text{end}"),
        format!("{forever}{{% set x %}}some text{{% endset %}}{end}"),
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}".to_owned(),
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(0) }}".to_owned(),
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}".into(),
        "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}".to_owned(),
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned(),
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('aaaaaaaa') }}".to_owned(),
        format!("{ns}{forever}{{% set ns.x = ns.x ~ ns.x %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x + ns.x %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x * 1000 %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x|replace('a', 'aaaa') %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x.replace('', ns.x) %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x.join(ns.x) %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = ns.x|upper|list|tojson %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = '%s%s'|format(ns.x, ns.x) %}}{end}"),
        format!("{ns}{forever}{{% set ns.x = '{{}}{{}}'.format(ns.x, ns.x) %}}{end}"),
        format!("{ns}{forever}{{% set ns.x %}}{{{{ ns.x }}}}{{{{ ns.x }}}}{{% endset %}}{end}"),
        format!("{ns}{forever}{{% set ns.l = ns.l + ns.l %}}{end}"),
        format!("{ns}{forever}{{% set ns.l = [ns.l, ns.l] %}}{end}"),
        format!("{ns}{forever}{{% set ns.l = [ns.l] %}}{end}"),
        format!("{ns}{forever}{{% set ns.d = dict(a=ns.d) %}}{end}"),
        format!("{ns}{forever}{{% set ns.l = ns.l|batch(1)|list %}}{end}"),
        format!("{ns}{forever}{{% set ns.l = ns.l|map('list')|list %}}{end}"),
        format!("{ns}{{% for i in range(150) %}}{{% set ns.l = [ns.l, ns.l] %}}{{% endfor %}}{{{{ ns.l }}}}"),
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}".to_owned(),
        "{% set ns = namespace() %}{% set x = [ns] %}{% set ns.me = x %}{{ ns }}".to_owned(),
        "{{ 'a' * 1000000000 }}".to_owned(),
        "{{ 'a' * 100000000 * 100000000 }}".to_owned(),
        "{{ [0] * 1000000000 }}".to_owned(),
        "{{ '%1000000000d'|format(1) }}".to_owned(),
        "{{ '%(a)1000000000d'|format(a=1) }}".to_owned(),
        "{{ '%.1000000000f'|format(1.5) }}".to_owned(),
        "{{ '{:1000000000}'.format(1) }}".to_owned(),
        "{{ '%*d' % (1000000000, 1) }}".to_owned(),
        "{{ 'a'|center(10000000000) }}".to_owned(),
        "{{ 'a\nb'|indent(10000000000) }}".to_owned(),
        "{{ 'a'.ljust(10000000000) }}".to_owned(),
        "{{ 'a'.zfill(10000000000) }}".to_owned(),
        "{{ [1]|slice(10000000000)|list }}".to_owned(),
        "{{ [1]|batch(10000000000, 0)|list }}".to_owned(),
        "{{ [1]|tojson(indent=10000000000) }}".to_owned(),
        "{{ 10 ** 1000000000 }}".to_owned(),
        "{{ 10.0 ** 1000000000 / 0 }}".to_owned(),
        "{{ (range(99999)|list)|unique|list|length }}".to_owned(),
        "{% set x = 'ab' * 50000000 %}{% for i in range(99999) %}{% if x == x ~ '' %}{% endif %}{% endfor %}".into(),
        "{% set x = 'ab' * 20000000 %}{% for i in range(99999) %}{% if 'q' in x %}{% endif %}{% endfor %}".into(),
        "{% set x = 'ab' * 20000000 %}{% for i in range(99999) %}{{ x[i] }}{% endfor %}".into(),
        "{% set x = 'ab' * 20000000 %}{% for i in range(99999) %}{{ x|length }}{% endfor %}".into(),
        "{% set x = 'ab' * 20000000 %}{% for i in range(99999) %}{{ loop.changed(x ~ i) }}{% endfor %}".into(),
        "{% set x = 'ab' * 20000000 %}{% for i in range(99999) %}{% set y = {x: 1} %}{% endfor %}".into(),
        "{% for x in [1] %}{{ loop.cycle() }}{% endfor %}".to_owned(),
        "{% for x in [1] %}{{ loop.cycle(*[]) }}{% endfor %}".to_owned(),
        "{{ {'a': 1}|map('list')|map('map', 'map', 'map')|list }}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{{{{ {}{} }}}}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "(".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " ** 1".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " and 1".repeat(100_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(100_000)),
        format!("{{{{ a{} }}}}", "[0]".repeat(100_000)),
        format!("{{{{ a{} }}}}", "()".repeat(100_000)),
        format!("{{{{ a{} }}}}", "|list".repeat(100_000)),
        format!("{{{{ a{} }}}}", " is none".repeat(100_000)),
        format!("{}{}", "{% if 1 %}".repeat(50_000), "{% endif %}".repeat(50_000)),
        format!("{}{}", "{% for a in b %}".repeat(20_000), "{% endfor %}".repeat(20_000)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(50_000)),
        format!("{}{}", "{% macro a() %}".repeat(20_000), "{% endmacro %}".repeat(20_000)),
        "{% if".to_owned(),
        "{{ 'unclosed".to_owned(),
        "{# unclosed".to_owned(),
        "{% raw %}".to_owned(),
        "{% generation %}".to_owned(),
        "{% include 'x' %}".to_owned(),
        "{% extends 'x' %}".to_owned(),
        "{% block x %}{% endblock %}{{ self.x() }}".to_owned(),
        "x".repeat((1 << 20) + 1),
    ];
    for source in templates {
        let shown: String = source.chars().take(120).collect();
        let begin = Instant::now();
        let result = run(source, user());
        let took = begin.elapsed();
        assert!(
            result.is_err(),
            "{shown}: {} bytes",
            result.map_or(0, |text| text.len())
        );
        assert!(took < Duration::from_secs(30), "{shown}: {took:?}");
    }
}

/// As deep and long as the limits let a template be: it must render on a small stack.
#[test]
fn the_allowed_depth_fits_a_small_stack() {
    let templates = [
        format!("{{{{ {}1{} }}}}", "(".repeat(70), ")".repeat(70)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(399)),
        format!("{{{{ {}1 }}}}", "not ".repeat(399)),
        format!("{}x{}", "{% if 1 %}".repeat(149), "{% endif %}".repeat(149)),
        format!("{{% if 0 %}}{}{{% endif %}}x", "{% elif 0 %}".repeat(199)),
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}x{% endmacro %}{{ m(30) }}".to_owned(),
        "{% set ns = namespace(l=[]) %}{% for i in range(190) %}{% set ns.l = [ns.l] %}{% endfor %}\
         {{ ns.l }}{{ ns.l|tojson }}{{ ns.l == [ns.l] }}"
            .to_owned(),
    ];
    for source in templates {
        let shown: String = source.chars().take(120).collect();
        let result = run(source, user());
        assert!(result.is_ok(), "{shown}: {result:?}");
    }
}

#[test]
fn deep_input_is_refused() {
    let mut deep = json!([]);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let input = TemplateInput {
        messages: deep,
        ..Default::default()
    };
    let result = run("{{ messages }}".to_owned(), input);
    assert!(
        matches!(result, Err(TemplateError::Limit { .. })),
        "{result:?}"
    );
}

#[test]
fn errors_tell_a_refusal_from_a_limit_and_name_the_line() {
    let kind = |source: &str| run(source.to_owned(), user()).unwrap_err();
    assert_eq!(
        kind("{{ raise_exception('no') }}"),
        TemplateError::Refused("no".into())
    );
    assert!(matches!(
        kind("a\nb\n{% if %}"),
        TemplateError::Syntax { line: 3, .. }
    ));
    assert!(matches!(
        kind("a\n{{ q.w.e }}"),
        TemplateError::Undefined { line: 2, .. }
    ));
    assert!(matches!(
        kind("a\n\n{{ 1 + 'a' }}"),
        TemplateError::Operation { line: 3, .. }
    ));
    let limits = Limits {
        output_bytes: 10,
        ..Default::default()
    };
    let small = ChatTemplate::with_limits("{{ messages }}", limits).unwrap();
    let error = small.render(&user()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chat template exceeds its limit of 10 bytes of output"
    );
    let limits = Limits {
        steps: 100,
        ..Default::default()
    };
    let few = ChatTemplate::with_limits("{% for i in range(99) %}{% endfor %}", limits).unwrap();
    assert!(matches!(
        few.render(&user()),
        Err(TemplateError::Limit { .. })
    ));
}

#[test]
fn chatml_is_there_for_who_asks() {
    let template = ChatTemplate::new(tokenizer::template::CHATML).unwrap();
    let input = TemplateInput {
        add_generation_prompt: true,
        ..user()
    };
    assert_eq!(
        template.render(&input).unwrap(),
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
}
