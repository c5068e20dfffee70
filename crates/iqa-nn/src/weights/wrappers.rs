//! Which tensors of a file are the model's: the same rules for every format.
//!
//! Training saves the model's tensors inside a dictionary, beside optimisers, losses and counters, or as an attribute of
//! something that was trained. Either way their names begin with that of a wrapper, up to a dot (HDF5: a slash).

use std::collections::BTreeSet;

/// What averaged weights stand under.
const AVERAGED: [&str; 9] = [
    "params_ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema_model",
    "averaged_model",
    "ema",
    "shadow",
    "shadow_params",
];
/// What weights as trained stand under, those of a whole file before those of a module.
const TRAINED: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "params",
    "model",
    "net",
    "network",
    "online_model",
    "module",
];
/// What `torch.compile` puts before the names of a module, at any depth.
const COMPILED: &str = "_orig_mod";
/// Wrappers within wrappers.
const MAX_DEPTH: usize = 8;

/// The model's tensors, and what there was to choose from.
pub(super) struct Selected<T> {
    pub(super) tensors: Vec<(String, T)>,
    /// Which weights were taken, where there were several.
    pub(super) remark: Option<String>,
}

/// Takes the model's tensors out of their wrappers and drops what stands beside them.
pub(super) fn select<T>(tensors: Vec<(String, T)>) -> Selected<T> {
    let names: Vec<String> = tensors.iter().map(|(name, _)| without_compiled(name)).collect();
    let mut remark = None;
    let prefix = prefix(&names, &mut remark, 0);
    let kept = tensors.into_iter().zip(names);
    let kept = kept.filter_map(|((_, tensor), name)| Some((name.strip_prefix(&prefix)?.to_owned(), tensor)));
    Selected { tensors: kept.collect(), remark }
}

fn without_compiled(name: &str) -> String {
    name.split('.').filter(|part| *part != COMPILED).collect::<Vec<_>>().join(".")
}

/// What the names of the model's tensors begin with.
fn prefix(names: &[String], remark: &mut Option<String>, depth: usize) -> String {
    let under = |wrapper: &str| -> Option<(String, Vec<String>)> {
        let separator = |name: &String| {
            let separator = name.strip_prefix(wrapper)?.chars().next()?;
            matches!(separator, '.' | '/').then_some(separator)
        };
        let head = format!("{wrapper}{}", names.iter().find_map(separator)?);
        let inner = names.iter().filter_map(|name| name.strip_prefix(&head).map(str::to_owned));
        let inner = inner.collect();
        Some((head, inner))
    };
    if depth == MAX_DEPTH {
        return String::new();
    }
    // Each way down to tensors, with the names at its end.
    let mut ways = |wrappers: &[&'static str]| -> Vec<(&'static str, String, BTreeSet<String>)> {
        let found = wrappers.iter().filter_map(|&wrapper| Some((wrapper, under(wrapper)?)));
        found
            .map(|(wrapper, (head, inner))| {
                let rest = prefix(&inner, remark, depth + 1);
                let tensors = inner.iter().filter_map(|name| name.strip_prefix(&rest).map(str::to_owned));
                (wrapper, format!("{head}{rest}"), tensors.collect())
            })
            .collect()
    };
    let (averaged, trained) = (ways(&AVERAGED), ways(&TRAINED));
    let names_of = |ways: &[(&str, String, BTreeSet<String>)]| {
        ways.iter().map(|way| format!("`{}`", way.0)).collect::<Vec<_>>().join(", ")
    };
    // An average of a list without names is of no use; that of another network is not of this one.
    let usable = averaged.iter().find(|way| trained.first().is_none_or(|first| first.2 == way.2));
    let Some((wrapper, prefix, _)) = usable.or(trained.first()) else { return String::new() };
    if averaged.len() + trained.len() > 1 {
        let kind = if usable.is_some() { "averaged" } else { "trained" };
        let all = [names_of(&trained), names_of(&averaged)];
        let all: Vec<_> = all.into_iter().filter(|names| !names.is_empty()).collect();
        *remark = Some(format!("of {}, the {kind} weights under `{wrapper}` were taken", all.join(", ")));
    }
    prefix.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: [&str; 3] = ["conv1.weight", "conv1.bias", "fc1.weight"];

    fn under(prefix: &str) -> Vec<String> {
        MODEL.iter().map(|name| format!("{prefix}{name}")).collect()
    }

    /// The names that are left, where they came from, and the remark.
    fn selected(names: Vec<String>) -> (Vec<String>, Vec<String>, Option<String>) {
        let selected = select(names.into_iter().map(|name| (name.clone(), name)).collect());
        let (left, origins) = selected.tensors.into_iter().unzip();
        (left, origins, selected.remark)
    }

    #[test]
    fn every_wrapper_is_taken_off_and_what_stands_beside_is_dropped() {
        for prefix in [
            "",
            "state_dict.",
            "model_state_dict.",
            "model.",
            "net.",
            "network.",
            "params.",
            "params_ema.",
            "ema.",
            "module.",
            "_orig_mod.",
            "state_dict.model.",
            "state_dict.module.",
            "state_dict.model._orig_mod.",
            "model.module._orig_mod.",
            "_orig_mod.module.",
            "ema.module.",
        ] {
            let mut names = under(prefix);
            if prefix.contains('.') && prefix != "_orig_mod." {
                names.extend(["optimizer.state.0.exp_avg", "loss", "epoch"].map(String::from));
            }
            let (left, _, remark) = selected(names);
            assert_eq!(left, MODEL, "{prefix}");
            assert_eq!(remark, None, "{prefix}");
        }
        let (left, ..) = selected(vec!["model/conv1/W".into(), "model/fc1/b".into(), "updater/t".into()]);
        assert_eq!(left, ["conv1/W", "fc1/b"]);
        let (left, ..) = selected(vec!["features._orig_mod.0.weight".into()]);
        assert_eq!(left, ["features.0.weight"]);
    }

    #[test]
    fn averaged_weights_count_and_a_remark_says_so() {
        for (trained, averaged, expected) in [
            (
                "params.",
                "params_ema.",
                "of `params`, `params_ema`, the averaged weights under `params_ema` were taken",
            ),
            ("model.", "ema.", "of `model`, `ema`, the averaged weights under `ema` were taken"),
            (
                "state_dict.",
                "ema.shadow.",
                "of `state_dict`, `ema`, the averaged weights under `ema` were taken",
            ),
            (
                "state_dict.model.",
                "state_dict.ema_model.",
                "of `model`, `ema_model`, the averaged weights under `ema_model` were taken",
            ),
            ("model.module.", "ema.", "of `model`, `ema`, the averaged weights under `ema` were taken"),
        ] {
            let (left, origins, remark) = selected([under(trained), under(averaged)].concat());
            assert_eq!(left, MODEL, "{averaged}");
            assert_eq!(origins, under(averaged), "{averaged}");
            assert_eq!(remark.as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_average_that_has_no_names_is_not_taken() {
        let (left, origins, remark) =
            selected([under("model."), vec!["ema.shadow_params.0".into()]].concat());
        assert_eq!((left, origins), (MODEL.map(String::from).to_vec(), under("model.")));
        let expected = "of `model`, `ema`, the trained weights under `model` were taken";
        assert_eq!(remark.as_deref(), Some(expected));
    }

    #[test]
    fn a_name_that_only_begins_like_a_wrapper_is_kept() {
        let names = ["modelling.weight", "network2.bias", "netting", "model"].map(String::from).to_vec();
        assert_eq!(selected(names.clone()).0, names);
    }
}
