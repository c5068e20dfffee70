//! The other papers, and stand-ins for sets that are not at hand.

use iqa_models::datasets::split::SplitPreset::{DuttaKadid10k, Hiqa};

use crate::catalogue::{
    Entry, Evaluation, NONE, Ours, Paper, Part, Published, Summary, Training, both, on, ranks, row, three,
};
use Ours::Nothing;

/// One run on one set.
const fn once(run: &'static str, recipe: &'static str, set: &'static str, split: &'static str) -> Training {
    Training { run, recipe, set, split, seeds: 1, summary: Summary::Mean }
}

const fn dutta(run: &'static str, recipe: &'static str, test: Evaluation) -> Ours {
    Ours::Training(once(run, recipe, "kadid10k", "dutta_kadid10k"), test)
}

const MULTIBRANCH: &str = "--recipe multibranch --preset paper";
const KADID: Evaluation = on("multibranch", "kadid10k").part(Part::Test(DuttaKadid10k));
const PIPAL: Evaluation = on("multibranch", "pipal");
const BACKBONES: &str = "the recipe has the encoder VGG16 alone as yet";
const BRANCHES: &str = "the recipe has no option that leaves branches out as yet";

const GSN: Training = once("gsn_kadid10k", "--recipe gsn --preset paper", "kadid10k", "gsn");
const GSN_ABLATION: &str = "the recipe has no option for it as yet";
const CHALLENGE: &str = "the labels of the challenge's validation and test parts are not public";

const fn gsn(set: &'static str) -> Ours {
    Ours::Training(GSN, on("gsn", set))
}

const fn hiqa(run: &'static str, set: &'static str) -> Ours {
    let training = Training {
        run,
        recipe: "--recipe hiqa --preset paper",
        set,
        split: "hiqa",
        seeds: 10,
        summary: Summary::Median,
    };
    Ours::Training(training, on("hiqa", set).part(Part::Test(Hiqa)))
}

const ORACLE: &str =
    "the recipe has no option that takes the true reference in place of the hallucinated one";
const SOURCE: &str = "the recipe has no option that trains the generator on another set";
const ABLATION: &str = "the recipe has no option that leaves parts out as yet";

/// SROCC alone.
const fn rank(srcc: f64) -> Published {
    Published { plcc: None, srcc: Some(srcc), krcc: None }
}

/// Printed as SROCC, then LCC.
const fn turned(srcc: f64, plcc: f64) -> Published {
    both(plcc, srcc)
}

/// The 25 distortions of KADID-10k on photographs, rated with that set's mean opinion scores.
const fn synthetic(model: &'static str) -> Ours {
    let evaluation = Evaluation { folder: "kadid_kodak", lenient: true, ..on(model, "kadid10k") };
    Ours::Evaluation(evaluation)
}

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        id: "dutta-kadid10k",
        paper: Paper::Dutta,
        place: "Tables 1 to 3, on KADID-10k",
        what: "trained on 80 % of KADID-10k, tested on the rest",
        note: "The paper does not say whether it splits by reference: here it is, 65 to 16.",
        rows: &[
            row("inception", "Inception-v3", ranks(0.9536, 0.8128), Nothing(BACKBONES)),
            row("resnet50", "ResNet50", ranks(0.9493, 0.8068), Nothing(BACKBONES)),
            row("vgg16", "VGG16", ranks(0.9436, 0.7952), dutta("multibranch_vgg16", MULTIBRANCH, KADID)),
        ],
    },
    Entry {
        id: "dutta-pipal",
        paper: Paper::Dutta,
        place: "Tables 1 to 3, on PIPAL",
        what: "trained on KADID-10k, tested on the public part of PIPAL (200 references, 23,200 images)",
        note: "",
        rows: &[
            row("inception", "Inception-v3", ranks(0.6580, 0.4738), Nothing(BACKBONES)),
            row("resnet50", "ResNet50", ranks(0.6613, 0.4761), Nothing(BACKBONES)),
            row("vgg16", "VGG16", ranks(0.6460, 0.4617), dutta("multibranch_vgg16", MULTIBRANCH, PIPAL)),
        ],
    },
    Entry {
        id: "dutta-ablation",
        paper: Paper::Dutta,
        place: "Tables 1 to 3, ablation with VGG16",
        what: "one, two and three branches, on KADID-10k and PIPAL",
        note: "",
        rows: &[
            row("frp-kadid10k", "pretrained branch, KADID-10k", ranks(0.9200, 0.7579), Nothing(BRANCHES)),
            row("frnp-kadid10k", "and untrained branch, KADID-10k", ranks(0.9315, 0.7765), Nothing(BRANCHES)),
            row(
                "nr-kadid10k",
                "and no-reference branch, KADID-10k",
                ranks(0.9436, 0.7952),
                dutta("multibranch_vgg16", MULTIBRANCH, KADID),
            ),
            row("frp-pipal", "pretrained branch, PIPAL", ranks(0.5650, 0.3971), Nothing(BRANCHES)),
            row("frnp-pipal", "and untrained branch, PIPAL", ranks(0.6215, 0.4422), Nothing(BRANCHES)),
            row(
                "nr-pipal",
                "and no-reference branch, PIPAL",
                ranks(0.6460, 0.4617),
                dutta("multibranch_vgg16", MULTIBRANCH, PIPAL),
            ),
        ],
    },
    Entry {
        id: "gsn-cross",
        paper: Paper::Gsn,
        place: "Tables 3 to 5, across sets",
        what: "trained on all of KADID-10k, tested on LIVE, CSIQ and TID2013",
        note: "",
        rows: &[
            row("live", "LIVE", three(0.922, 0.932, 0.764), gsn("live")),
            row("csiq", "CSIQ", three(0.944, 0.951, 0.801), gsn("csiq")),
            row("tid2013", "TID2013", three(0.892, 0.885, 0.699), gsn("tid2013")),
        ],
    },
    Entry {
        id: "gsn-challenge",
        paper: Paper::Gsn,
        place: "Tables 3 to 5, NTIRE 2022 challenge",
        what: "trained on the public part of PIPAL, tested on the challenge's parts",
        note: "",
        rows: &[
            row("validation", "validation", both(0.853, 0.831), Nothing(CHALLENGE)),
            row("test", "test", both(0.827, 0.815), Nothing(CHALLENGE)),
        ],
    },
    Entry {
        id: "gsn-ablation",
        paper: Paper::Gsn,
        place: "Tables 3 to 5, ablation on PIPAL",
        what: "plain or central difference convolution, with and without the listwise loss",
        note: "",
        rows: &[
            row("cnn-mse", "plain, MSE", both(0.785, 0.751), Nothing(GSN_ABLATION)),
            row("cnn-mse-kl", "plain, MSE and KL", both(0.802, 0.787), Nothing(GSN_ABLATION)),
            row("cdc-mse", "central difference, MSE", both(0.828, 0.804), Nothing(GSN_ABLATION)),
            row("cdc-mse-kl", "central difference, MSE and KL", both(0.835, 0.811), Nothing(CHALLENGE)),
        ],
    },
    Entry {
        id: "hiqa-tid2013",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, TID2013",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[
            row("hiqa", "HIQA", rank(0.879), hiqa("hiqa_tid2013", "tid2013")),
            row("oracle", "with the true reference", rank(0.935), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-live",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, LIVE",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[
            row("hiqa", "HIQA", turned(0.982, 0.982), hiqa("hiqa_live", "live")),
            row("oracle", "with the true reference", turned(0.983, 0.989), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-tid2008",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, TID2008",
        what: "80 % to train, 20 % to test, by reference; median of ten",
        note: "",
        rows: &[row("hiqa", "HIQA", turned(0.941, 0.949), hiqa("hiqa_tid2008", "tid2008"))],
    },
    Entry {
        id: "hiqa-cross",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, LIVE to TID2008",
        what: "trained on LIVE, tested on the four types of TID2008 that both have",
        note: "The paper maps the scores by a logistic regression first: see `PLCC, 5 par.` of the report.",
        rows: &[
            row(
                "hiqa",
                "HIQA",
                turned(0.934, 0.917),
                Ours::Training(
                    once("hiqa_live_all", "--recipe hiqa --preset paper", "live", "1,0,0"),
                    on("hiqa", "tid2008").part(Part::Subset("shared types")),
                ),
            ),
            row("oracle", "with the true reference", turned(0.939, 0.920), Nothing(ORACLE)),
        ],
    },
    Entry {
        id: "hiqa-source",
        paper: Paper::Hiqa,
        place: "Tables 2 to 5, source of the generator",
        what: "the generator trained on other sets, the regressor on LIVE",
        note: "",
        rows: &[
            row("live", "generator on LIVE", turned(0.982, 0.982), hiqa("hiqa_live", "live")),
            row("tid2008", "generator on TID2008", turned(0.982, 0.985), Nothing(SOURCE)),
            row("both", "generator on TID2008 and TID2013", turned(0.983, 0.988), Nothing(SOURCE)),
        ],
    },
    Entry {
        id: "hiqa-ablation",
        paper: Paper::Hiqa,
        place: "ablation on TID2008",
        what: "parts added one after the other",
        note: "The order of the rows is reconstructed from the gains that the text states.",
        rows: &[
            row("baseline", "baseline", turned(0.755, 0.800), Nothing(ABLATION)),
            row("hallucination", "and hallucinated reference", turned(0.859, 0.870), Nothing(ABLATION)),
            row("perception", "and quality-aware perceptual loss", turned(0.864, 0.894), Nothing(ABLATION)),
            row("adversarial", "and plain adversarial loss", turned(0.887, 0.910), Nothing(ABLATION)),
            row("iqa-adversarial", "and IQA-adversarial loss", turned(0.910, 0.918), Nothing(ABLATION)),
            row("fusion", "and high-level fusion", turned(0.941, 0.949), hiqa("hiqa_tid2008", "tid2008")),
        ],
    },
    Entry {
        id: "synthetic-kadid10k",
        paper: Paper::StandIn,
        place: "none",
        what: "KADID-10k's 25 distortions on photographs of the Kodak set, each image rated with the mean of its type and \
               level over KADID-10k",
        note: "No person has rated these images: two images of one type and level have the same rating, whatever is on \
               them. The bundled WaDIQaM weights were trained on such ratings, of other photographs. The set is made by \
               the example `synthesize`.",
        rows: &[
            row("psnr", "PSNR", NONE, synthetic("psnr")),
            row("ssim", "SSIM", NONE, synthetic("ssim")),
            row("wadiqam_fr", "WaDIQaM-FR, bundled weights", NONE, synthetic("wadiqam_fr")),
            row("wadiqam_nr", "WaDIQaM-NR, bundled weights", NONE, synthetic("wadiqam_nr")),
        ],
    },
];
