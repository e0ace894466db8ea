//! The decision beside Cedar and regorus: one policy of 60 rules and the law packs, the same random questions, in one run.
//! Each answer is compared before anything is timed. `cargo run --release --bin bench`.

use std::collections::BTreeMap;
use std::hint::black_box;

use menshen_policy::{Document, Policy, Question, RulesInForce, Verdict, packs};
use menshen_policy_proof::cedar::Oracle;
use menshen_policy_proof::naive::World;
use menshen_policy_proof::random::{self, Asked, Random};
use menshen_policy_proof::rego::Rego;
use menshen_policy_proof::sixty;

const QUESTIONS: usize = 512;
const ROUNDS: usize = 21;

/// The median nanoseconds of processor time of one operation over the rounds, each contender's burst in turn.
fn interleave(contenders: &mut [(&str, usize, Box<dyn FnMut() + '_>)]) -> Vec<f64> {
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..=ROUNDS {
        for (at, (_, operations, burst)) in contenders.iter_mut().enumerate() {
            let began = processor_time();
            burst();
            #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
            let each = (processor_time() - began) as f64 / *operations as f64;
            // The first round warms up.
            if round > 0 {
                times[at].push(each);
            }
        }
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    times.into_iter().map(median).collect()
}

/// Nanoseconds that this thread has had of the processor: others who use the machine do not count.
fn processor_time() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + i64::from(time.tv_nsec)
}

fn main() {
    let document = sixty::document();
    let policy = Policy::read(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    let types: Document = serde_json::from_value(document).expect("it was read before");
    let packs = packs::built_in().expect("the packs are right");
    let world = World { document: &types, packs: &packs };
    let (oracle, rego) = (Oracle::new(&world), Rego::new(&world));
    let mut random = Random::new(9);
    let asked: Vec<Asked> = (0..QUESTIONS)
        .map(|_| {
            let mut asked = random::asked(&mut random);
            asked.purpose = format!("p{}", random.below(24));
            asked
        })
        .collect();
    // Rules are compiled once for each place, as a session does.
    let mut by_place: BTreeMap<String, RulesInForce> = BTreeMap::new();
    let place = |asked: &Asked| asked.place.as_ref().map_or_else(String::new, ToString::to_string);
    for asked in &asked {
        by_place.entry(place(asked)).or_insert_with(|| policy.rules_in_force(asked.place.as_ref()));
    }
    let questions: Vec<(&RulesInForce, Question)> =
        asked.iter().map(|asked| (&by_place[&place(asked)], asked.question(&policy))).collect();
    let named: Vec<(String, String, Question)> =
        asked.iter().map(|asked| (place(asked), asked.purpose.clone(), asked.question(&policy))).collect();

    let mut contexts = Vec::new();
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for (asked, (rules, question)) in asked.iter().zip(&questions) {
        let verdict = rules.decide(question).verdict;
        *verdicts.entry(verdict).or_default() += 1;
        let told = oracle.decide(&world, asked, question.age);
        assert_eq!(verdict, told.verdict, "Cedar: {asked:?}");
        let mut context = Oracle::context(&world, asked, question.age);
        let input = Rego::input(&context, &asked.purpose);
        let word = match verdict {
            Verdict::Allow => "allow",
            Verdict::Ask => "ask",
            Verdict::Deny => "deny",
        };
        assert_eq!(word, rego.verdict(input.clone()), "regorus: {asked:?}");
        context["guardian"] = told.asks_guardian.into();
        contexts.push((Oracle::request("run", asked, &context), input));
    }
    println!("{QUESTIONS} questions, decided alike by all three: {verdicts:?}");
    println!("60 rules and the law packs are {} Cedar policies", oracle.len());

    let mut contenders: Vec<(&str, usize, Box<dyn FnMut()>)> = vec![
        (
            "menshen, ids",
            QUESTIONS * 100,
            Box::new(|| {
                for _ in 0..100 {
                    for (rules, question) in &questions {
                        black_box(rules.decide(black_box(question)));
                    }
                }
            }),
        ),
        (
            "menshen, strings",
            QUESTIONS * 100,
            Box::new(|| {
                for _ in 0..100 {
                    for (place, purpose, question) in &named {
                        let rules = &by_place[black_box(place)];
                        let purpose = policy.purpose_id(black_box(purpose)).expect("a purpose");
                        black_box(rules.decide(&Question { purpose, ..*question }));
                    }
                }
            }),
        ),
        (
            "Cedar, one request",
            QUESTIONS,
            Box::new(|| {
                for (request, _) in &contexts {
                    black_box(oracle.is_allowed(black_box(request)));
                }
            }),
        ),
        (
            "regorus, verdict",
            QUESTIONS,
            Box::new(|| {
                for (_, input) in &contexts {
                    black_box(rego.verdict(black_box(input.clone())));
                }
            }),
        ),
    ];
    let medians = interleave(&mut contenders);
    let own = medians[0];
    for ((name, ..), median) in contenders.iter().zip(&medians) {
        println!("{name:>20} {median:12.0} ns   {:8.1} times menshen with ids", median / own);
    }
}
