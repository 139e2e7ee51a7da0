//! Schemas that no finite value satisfies, because each always needs itself once more inside.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The first of the places `targets` of `root` whose values are all infinite, by the least fixed point over them.
/// References elsewhere than to `targets` there are none.
pub(super) fn endless<'a>(root: &Value, targets: &[&'a str]) -> Option<&'a str> {
    let mut known = BTreeSet::new();
    loop {
        let before = known.len();
        for target in targets {
            let schema = root.pointer(target.trim_start_matches('#'));
            // What is not there is an error of its own.
            if schema.is_none_or(|schema| can_end(schema, &known)) {
                known.insert(*target);
            }
        }
        if known.len() == before {
            break;
        }
    }
    targets
        .iter()
        .copied()
        .find(|target| !known.contains(target))
}

fn can_end(schema: &Value, known: &BTreeSet<&str>) -> bool {
    let Value::Object(members) = schema else {
        return true;
    };
    let is_scalar = members.get("type").is_none_or(|types| match types {
        Value::Array(types) => types.iter().any(is_scalar),
        one => is_scalar(one),
    });
    let can = |schema: &Value| can_end(schema, known);
    let each = |name: &str| members.get(name).and_then(Value::as_array);
    let target = members.get("$ref").and_then(Value::as_str);
    target.is_none_or(|target| known.contains(target))
        && each("anyOf").is_none_or(|all| all.iter().any(can))
        && each("oneOf").is_none_or(|all| all.iter().any(can))
        && each("allOf").is_none_or(|all| all.iter().all(can))
        && (is_scalar || (items_can(members, &can) && properties_can(members, &can)))
}

fn is_scalar(name: &Value) -> bool {
    !matches!(name.as_str(), Some("array" | "object"))
}

fn items_can(members: &Map<String, Value>, can: &dyn Fn(&Value) -> bool) -> bool {
    let least = members.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize;
    let prefix = members.get("prefixItems").and_then(Value::as_array);
    let num_prefix = prefix.map_or(0, Vec::len);
    prefix.is_none_or(|items| items.iter().take(least).all(can))
        && (least <= num_prefix || members.get("items").is_none_or(can))
}

fn properties_can(members: &Map<String, Value>, can: &dyn Fn(&Value) -> bool) -> bool {
    let required = members.get("required").and_then(Value::as_array);
    let properties = members.get("properties");
    let schema = |name: &str| {
        let named = properties.and_then(|properties| properties.get(name));
        named.or(members.get("additionalProperties"))
    };
    required.is_none_or(|names| {
        let mut names = names.iter().filter_map(Value::as_str);
        names.all(|name| schema(name).is_none_or(can))
    })
}
