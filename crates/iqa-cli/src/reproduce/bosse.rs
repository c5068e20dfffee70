//! DIQaM and WaDIQaM.

use iqa_models::datasets::split::SplitPreset::{BosseLive, BosseLiveChallenge, BosseTid2013};

use crate::reproduce::catalogue::{
    Entry, Evaluation, NONE, Ours, Paper, Part, Summary, Training, both, on, row, three,
};
use Ours::Nothing;

const fn ten(run: &'static str, recipe: &'static str, set: &'static str, split: &'static str) -> Training {
    Training { run, recipe, set, split, seeds: 10, weights: "best.safetensors", summary: Summary::Mean }
}

const DIQAM_FR: &str = "--recipe wadiqam --model diqam_fr --preset paper";
const WADIQAM_FR: &str = "--recipe wadiqam --model wadiqam_fr --preset paper";
const DIFF: &str = "--recipe wadiqam --model wadiqam_fr --fusion diff_only --preset paper";
const CONCAT: &str = "--recipe wadiqam --model wadiqam_fr --fusion concat --preset paper";
const DIQAM_NR: &str = "--recipe wadiqam --model diqam_nr --preset paper";
const WADIQAM_NR: &str = "--recipe wadiqam --model wadiqam_nr --preset paper";

const LIVE: Part = Part::Test(BosseLive);
const TID2013: Part = Part::Test(BosseTid2013);
const CHALLENGE: Part = Part::Test(BosseLiveChallenge);

const fn live(model: &'static str, run: &'static str, recipe: &'static str) -> Ours {
    Ours::Training(ten(run, recipe, "live", "bosse_live"), on(model, "live").part(LIVE))
}

const fn tid2013(model: &'static str, run: &'static str, recipe: &'static str, part: Part) -> Ours {
    Ours::Training(ten(run, recipe, "tid2013", "bosse_tid2013"), on(model, "tid2013").part(part))
}

const fn challenge(model: &'static str, run: &'static str, recipe: &'static str) -> Ours {
    let training = ten(run, recipe, "live_challenge", "bosse_live_challenge");
    Ours::Training(training, on(model, "live_challenge").part(CHALLENGE))
}

const fn diqam_subset(name: &'static str) -> Ours {
    tid2013("diqam_fr", "diqam_fr_tid2013", DIQAM_FR, Part::TestSubset(BosseTid2013, name))
}

const fn wadiqam_subset(name: &'static str) -> Ours {
    tid2013("wadiqam_fr", "wadiqam_fr_tid2013", WADIQAM_FR, Part::TestSubset(BosseTid2013, name))
}

/// The authors' own weights on another set than they were trained on.
const fn official(model: &'static str, weights: &'static str, set: &'static str, part: Part) -> Ours {
    Ours::Evaluation(on(model, set).with(weights).part(part))
}

const SHARED: Part = Part::Subset("shared types");

const fn patches(count: usize) -> Ours {
    let evaluation = on("wadiqam_fr", "live").with("fr_tid_weighted.model");
    Ours::Evaluation(Evaluation { patches: Some(count), ..evaluation })
}

const OFFICIAL: &str = "The weights are the authors' own, from github.com/dmaniry/deepIQA; they were trained on the \
                        whole of the set in their name.";

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        id: "bosse-1",
        paper: Paper::Bosse,
        place: "Table I",
        what: "LIVE and TID2013: ten splits by reference, 17/6/6 and 15/5/5",
        note: "The paper does not say how the ten splits are pooled: the mean is taken.",
        rows: &[
            row(
                "diqam_fr-live",
                "DIQaM-FR, LIVE",
                both(0.977, 0.966),
                live("diqam_fr", "diqam_fr_live", DIQAM_FR),
            ),
            row(
                "wadiqam_fr-live",
                "WaDIQaM-FR, LIVE",
                both(0.980, 0.970),
                live("wadiqam_fr", "wadiqam_fr_live", WADIQAM_FR),
            ),
            row(
                "diqam_nr-live",
                "DIQaM-NR, LIVE",
                both(0.972, 0.960),
                live("diqam_nr", "diqam_nr_live", DIQAM_NR),
            ),
            row(
                "wadiqam_nr-live",
                "WaDIQaM-NR, LIVE",
                both(0.963, 0.954),
                live("wadiqam_nr", "wadiqam_nr_live", WADIQAM_NR),
            ),
            row(
                "diqam_fr-tid2013",
                "DIQaM-FR, TID2013",
                both(0.880, 0.859),
                tid2013("diqam_fr", "diqam_fr_tid2013", DIQAM_FR, TID2013),
            ),
            row(
                "wadiqam_fr-tid2013",
                "WaDIQaM-FR, TID2013",
                both(0.946, 0.940),
                tid2013("wadiqam_fr", "wadiqam_fr_tid2013", WADIQAM_FR, TID2013),
            ),
            row(
                "diqam_nr-tid2013",
                "DIQaM-NR, TID2013",
                both(0.855, 0.835),
                tid2013("diqam_nr", "diqam_nr_tid2013", DIQAM_NR, TID2013),
            ),
            row(
                "wadiqam_nr-tid2013",
                "WaDIQaM-NR, TID2013",
                both(0.787, 0.761),
                tid2013("wadiqam_nr", "wadiqam_nr_tid2013", WADIQAM_NR, TID2013),
            ),
        ],
    },
    Entry {
        id: "bosse-2",
        paper: Paper::Bosse,
        place: "Table II",
        what: "subsets of TID2013, full-reference",
        note: "The paper's rows are named NR and are FR. The runs are those of bosse-1.",
        rows: &[
            row("diqam_fr-noise", "DIQaM-FR, noise", NONE, diqam_subset("noise")),
            row("diqam_fr-actual", "DIQaM-FR, actual", NONE, diqam_subset("actual")),
            row("diqam_fr-simple", "DIQaM-FR, simple", NONE, diqam_subset("simple")),
            row("diqam_fr-exotic", "DIQaM-FR, exotic", NONE, diqam_subset("exotic")),
            row("diqam_fr-new", "DIQaM-FR, new", NONE, diqam_subset("new")),
            row("diqam_fr-color", "DIQaM-FR, colour", NONE, diqam_subset("color")),
            row("wadiqam_fr-noise", "WaDIQaM-FR, noise", NONE, wadiqam_subset("noise")),
            row("wadiqam_fr-actual", "WaDIQaM-FR, actual", NONE, wadiqam_subset("actual")),
            row("wadiqam_fr-simple", "WaDIQaM-FR, simple", NONE, wadiqam_subset("simple")),
            row("wadiqam_fr-exotic", "WaDIQaM-FR, exotic", NONE, wadiqam_subset("exotic")),
            row("wadiqam_fr-new", "WaDIQaM-FR, new", NONE, wadiqam_subset("new")),
            row("wadiqam_fr-color", "WaDIQaM-FR, colour", NONE, wadiqam_subset("color")),
        ],
    },
    Entry {
        id: "bosse-3",
        paper: Paper::Bosse,
        place: "Table III",
        what: "LIVE Challenge: ten splits by image, 698/232/232",
        note: "The paper does not say how the ten splits are pooled: the mean is taken.",
        rows: &[
            row(
                "diqam_nr-challenge",
                "DIQaM-NR",
                both(0.601, 0.606),
                challenge("diqam_nr", "diqam_nr_challenge", DIQAM_NR),
            ),
            row(
                "wadiqam_nr-challenge",
                "WaDIQaM-NR",
                both(0.680, 0.671),
                challenge("wadiqam_nr", "wadiqam_nr_challenge", WADIQAM_NR),
            ),
        ],
    },
    Entry {
        id: "bosse-4",
        paper: Paper::Bosse,
        place: "Tables IV and V, whole sets",
        what: "across sets, full-reference: trained on LIVE or TID2013, tested on the others",
        note: OFFICIAL,
        rows: &[
            row(
                "diqam_fr-live-tid2013",
                "DIQaM-FR, LIVE to TID2013",
                NONE,
                official("diqam_fr", "fr_live_patchwise.model", "tid2013", Part::Whole),
            ),
            row(
                "wadiqam_fr-live-tid2013",
                "WaDIQaM-FR, LIVE to TID2013",
                NONE,
                official("wadiqam_fr", "fr_live_weighted.model", "tid2013", Part::Whole),
            ),
            row(
                "diqam_fr-live-csiq",
                "DIQaM-FR, LIVE to CSIQ",
                NONE,
                official("diqam_fr", "fr_live_patchwise.model", "csiq", Part::Whole),
            ),
            row(
                "wadiqam_fr-live-csiq",
                "WaDIQaM-FR, LIVE to CSIQ",
                NONE,
                official("wadiqam_fr", "fr_live_weighted.model", "csiq", Part::Whole),
            ),
            row(
                "diqam_fr-tid2013-live",
                "DIQaM-FR, TID2013 to LIVE",
                NONE,
                official("diqam_fr", "fr_tid_patchwise.model", "live", Part::Whole),
            ),
            row(
                "wadiqam_fr-tid2013-live",
                "WaDIQaM-FR, TID2013 to LIVE",
                NONE,
                official("wadiqam_fr", "fr_tid_weighted.model", "live", Part::Whole),
            ),
            row(
                "diqam_fr-tid2013-csiq",
                "DIQaM-FR, TID2013 to CSIQ",
                NONE,
                official("diqam_fr", "fr_tid_patchwise.model", "csiq", Part::Whole),
            ),
            row(
                "wadiqam_fr-tid2013-csiq",
                "WaDIQaM-FR, TID2013 to CSIQ",
                NONE,
                official("wadiqam_fr", "fr_tid_weighted.model", "csiq", Part::Whole),
            ),
        ],
    },
    Entry {
        id: "bosse-5",
        paper: Paper::Bosse,
        place: "Tables IV and V, four shared types",
        what: "across sets, full-reference, on JPEG, JPEG 2000, blur and noise alone",
        note: OFFICIAL,
        rows: &[
            row(
                "diqam_fr-live-tid2013",
                "DIQaM-FR, LIVE to TID2013",
                NONE,
                official("diqam_fr", "fr_live_patchwise.model", "tid2013", SHARED),
            ),
            row(
                "wadiqam_fr-live-tid2013",
                "WaDIQaM-FR, LIVE to TID2013",
                NONE,
                official("wadiqam_fr", "fr_live_weighted.model", "tid2013", SHARED),
            ),
            row(
                "diqam_fr-live-csiq",
                "DIQaM-FR, LIVE to CSIQ",
                NONE,
                official("diqam_fr", "fr_live_patchwise.model", "csiq", SHARED),
            ),
            row(
                "wadiqam_fr-live-csiq",
                "WaDIQaM-FR, LIVE to CSIQ",
                NONE,
                official("wadiqam_fr", "fr_live_weighted.model", "csiq", SHARED),
            ),
        ],
    },
    Entry {
        id: "bosse-6",
        paper: Paper::Bosse,
        place: "Tables VI and VII, trained on LIVE",
        what: "across sets, no-reference",
        note: "The paper's rows are named WaDIQaM-FR and are NR. The weights are the authors' own, from \
               github.com/dmaniry/deepIQA.",
        rows: &[
            row(
                "diqam_nr-tid2013",
                "DIQaM-NR, TID2013",
                NONE,
                official("diqam_nr", "nr_live_patchwise.model", "tid2013", Part::Whole),
            ),
            row(
                "wadiqam_nr-tid2013",
                "WaDIQaM-NR, TID2013",
                NONE,
                official("wadiqam_nr", "nr_live_weighted.model", "tid2013", Part::Whole),
            ),
            row(
                "diqam_nr-csiq",
                "DIQaM-NR, CSIQ",
                NONE,
                official("diqam_nr", "nr_live_patchwise.model", "csiq", Part::Whole),
            ),
            row(
                "wadiqam_nr-csiq",
                "WaDIQaM-NR, CSIQ",
                NONE,
                official("wadiqam_nr", "nr_live_weighted.model", "csiq", Part::Whole),
            ),
            row(
                "diqam_nr-tid2013-shared",
                "DIQaM-NR, TID2013, shared types",
                NONE,
                official("diqam_nr", "nr_live_patchwise.model", "tid2013", SHARED),
            ),
            row(
                "wadiqam_nr-tid2013-shared",
                "WaDIQaM-NR, TID2013, shared types",
                NONE,
                official("wadiqam_nr", "nr_live_weighted.model", "tid2013", SHARED),
            ),
            row(
                "diqam_nr-csiq-shared",
                "DIQaM-NR, CSIQ, shared types",
                NONE,
                official("diqam_nr", "nr_live_patchwise.model", "csiq", SHARED),
            ),
            row(
                "wadiqam_nr-csiq-shared",
                "WaDIQaM-NR, CSIQ, shared types",
                NONE,
                official("wadiqam_nr", "nr_live_weighted.model", "csiq", SHARED),
            ),
        ],
    },
    Entry {
        id: "bosse-7",
        paper: Paper::Bosse,
        place: "Tables VI and VII, trained on TID2013",
        what: "across sets, no-reference",
        note: "The paper's rows are named WaDIQaM-FR and are NR. The weights are the authors' own, from \
               github.com/dmaniry/deepIQA.",
        rows: &[
            row(
                "diqam_nr-live",
                "DIQaM-NR, LIVE",
                NONE,
                official("diqam_nr", "nr_tid_patchwise.model", "live", Part::Whole),
            ),
            row(
                "wadiqam_nr-live",
                "WaDIQaM-NR, LIVE",
                NONE,
                official("wadiqam_nr", "nr_tid_weighted.model", "live", Part::Whole),
            ),
            row(
                "diqam_nr-csiq",
                "DIQaM-NR, CSIQ",
                NONE,
                official("diqam_nr", "nr_tid_patchwise.model", "csiq", Part::Whole),
            ),
            row(
                "wadiqam_nr-csiq",
                "WaDIQaM-NR, CSIQ",
                NONE,
                official("wadiqam_nr", "nr_tid_weighted.model", "csiq", Part::Whole),
            ),
        ],
    },
    Entry {
        id: "bosse-8",
        paper: Paper::Bosse,
        place: "Table VIII",
        what: "schemes of feature fusion, full-reference",
        note: "Concatenation with the difference is the scheme of all other tables. Which set the paper's table is on is not \
               known here: both are given.",
        rows: &[
            row(
                "concat_diff-live",
                "difference and both, LIVE",
                NONE,
                live("wadiqam_fr", "wadiqam_fr_live", WADIQAM_FR),
            ),
            row(
                "concat_diff-tid2013",
                "difference and both, TID2013",
                NONE,
                tid2013("wadiqam_fr", "wadiqam_fr_tid2013", WADIQAM_FR, TID2013),
            ),
            row("diff-live", "difference alone, LIVE", NONE, live("wadiqam_fr", "diff_live", DIFF)),
            row(
                "diff-tid2013",
                "difference alone, TID2013",
                NONE,
                tid2013("wadiqam_fr", "diff_tid2013", DIFF, TID2013),
            ),
            row(
                "concat-live",
                "both, without the difference, LIVE",
                NONE,
                live("wadiqam_fr", "concat_live", CONCAT),
            ),
            row(
                "concat-tid2013",
                "both, without the difference, TID2013",
                NONE,
                tid2013("wadiqam_fr", "concat_tid2013", CONCAT, TID2013),
            ),
        ],
    },
    Entry {
        id: "bosse-patches",
        paper: Paper::Bosse,
        place: "figure on the number of patches",
        what: "agreement over the number of random patches an image is scored by",
        note: "Here for WaDIQaM-FR trained on TID2013, on LIVE.",
        rows: &[
            row("1", "1 patch", NONE, patches(1)),
            row("2", "2 patches", NONE, patches(2)),
            row("4", "4 patches", NONE, patches(4)),
            row("8", "8 patches", NONE, patches(8)),
            row("16", "16 patches", NONE, patches(16)),
            row("32", "32 patches", NONE, patches(32)),
            row("64", "64 patches", NONE, patches(64)),
            row("128", "128 patches", NONE, patches(128)),
        ],
    },
    Entry {
        id: "bosse-pca",
        paper: Paper::Bosse,
        place: "section IV-I, figure on reduced reference",
        what: "agreement over the number of principal components of the reference's features",
        note: "Here as `iqa reproduce reduced-reference`, on synthetic distortions of photographs alone.",
        rows: &[row(
            "components",
            "DIQaM-FR and WaDIQaM-FR",
            NONE,
            Nothing("see `iqa reproduce reduced-reference`"),
        )],
    },
    Entry {
        id: "pyiqa-wadiqam",
        paper: Paper::Bosse,
        place: "not in the paper: pyiqa's WaDIQaM-FR, trained on KADID-10k",
        what: "the figures that pyiqa reports for its own weights, and for PSNR",
        note: "The weights are pyiqa's (noncommercial licence): put its file into `weights` under this name. pyiqa leaves \
               out the last row and column of patches where the size is a multiple of 32.",
        rows: &[
            row("csiq", "WaDIQaM-FR, KADID-10k to CSIQ", three(0.9087, 0.9220, 0.7461), pyiqa("csiq")),
            row("live", "WaDIQaM-FR, KADID-10k to LIVE", three(0.9163, 0.9308, 0.7584), pyiqa("live")),
            row(
                "tid2008",
                "WaDIQaM-FR, KADID-10k to TID2008",
                three(0.8221, 0.8222, 0.6245),
                pyiqa("tid2008"),
            ),
            row(
                "tid2013",
                "WaDIQaM-FR, KADID-10k to TID2013",
                three(0.8424, 0.8264, 0.6280),
                pyiqa("tid2013"),
            ),
            row(
                "psnr",
                "PSNR, TID2013",
                three(0.6601, 0.6869, 0.4958),
                Ours::Evaluation(on("psnr", "tid2013")),
            ),
        ],
    },
];

const fn pyiqa(set: &'static str) -> Ours {
    Ours::Evaluation(on("wadiqam_fr", set).with("pyiqa_wadiqam_fr_kadid.pth"))
}
