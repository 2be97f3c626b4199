//! The words that names, titles and places are made of.

pub(crate) const FIRST_NAMES: &[&str] = &[
    "Ada", "Amara", "Aisha", "Alejandro", "Amélie", "Anders", "Anya", "Arjun", "Beatriz", "Benedikt",
    "Camille", "Carlos", "Chiara", "Chidi", "Daniel", "Dariusz", "Elena", "Elif", "Emeka", "Eszter",
    "Fatima", "Finn", "Gabriel", "Grace", "Hana", "Hassan", "Ingrid", "Isabel", "Ivan", "Jamal",
    "Jana", "Jonas", "Julia", "Kaito", "Karim", "Katarzyna", "Kofi", "Lakshmi", "Lars", "Leila",
    "Liam", "Lucía", "Magnus", "Marek", "Maria", "Mateo", "Mei", "Mina", "Mohamed", "Nadia",
    "Niamh", "Nikolai", "Noah", "Olga", "Omar", "Priya", "Rafael", "Ravi", "Rosa", "Samuel",
    "Sana", "Sigrid", "Sofia", "Stefan", "Tadeo", "Thandiwe", "Tomás", "Uma", "Valeria", "Victor",
    "Wanjiru", "Wei", "Yara", "Yusuf", "Zofia", "Zoë",
];

pub(crate) const LAST_NAMES: &[&str] = &[
    "Abebe", "Adeyemi", "Ahmed", "Alvarez", "Andersson", "Bakker", "Bauer", "Benali", "Bianchi",
    "Brennan", "Castillo", "Chen", "Costa", "Da Silva", "Demir", "Diallo", "Dubois", "Eriksen",
    "Farah", "Ferrari", "Fischer", "García", "Gupta", "Haddad", "Hansen", "Hernández", "Horvat",
    "Ito", "Ivanova", "Jansen", "Johansson", "Kamau", "Kaya", "Keller", "Khan", "Kim", "Kowalski",
    "Laurent", "Lindqvist", "Lopez", "Martin", "Mbeki", "Mensah", "Moreau", "Murphy", "Nakamura",
    "Ndiaye", "Nguyen", "Novak", "O’Connor", "Okafor", "Oliveira", "Papadopoulos", "Patel",
    "Petrov", "Popescu", "Ramos", "Reyes", "Rossi", "Sato", "Schmidt", "Sharma", "Singh", "Sokolov",
    "Suzuki", "Svensson", "Tanaka", "Torres", "Tran", "Varga", "Wagner", "Walker", "Wang", "Weber",
    "Yılmaz", "Zhang",
];

pub(crate) const COMPANIES: &[&str] = &[
    "Northwind Robotics", "Harbour Health", "Lumen Energy", "Cobalt Freight", "Juniper Bank",
    "Atlas Mapping", "Fable Games", "Meridian Insurance", "Kestrel Aerospace", "Sage Analytics",
    "Orchard Foods", "Tidewater Logistics", "Beacon Learning", "Granite Cloud", "Willow Care",
    "Quartz Semiconductors", "Paperboat Media", "Summit Mobility", "Helio Solar", "Driftwood Travel",
    "Copperline Telecom", "Mosaic Retail", "Redwood Biotech", "Violet Payments",
];

pub(crate) const LOCATIONS: &[&str] = &[
    "Amsterdam", "Athens", "Barcelona", "Berlin", "Bucharest", "Copenhagen", "Dublin", "Hamburg",
    "Helsinki", "Lagos", "Lisbon", "London", "Madrid", "Milan", "Munich", "Nairobi", "Oslo", "Paris",
    "Prague", "Stockholm", "Tallinn", "Vienna", "Warsaw", "Zürich",
];

pub(crate) const SENIORITIES: &[(&str, u32)] =
    &[("junior", 22), ("mid", 36), ("senior", 28), ("staff", 10), ("principal", 4)];

pub(crate) const SKILLS: &[&str] = &[
    "Accessibility", "Android", "Ansible", "AWS", "Azure", "C++", "CSS", "Data modelling", "Docker",
    "Elixir", "Figma", "Go", "GraphQL", "gRPC", "Haskell", "iOS", "Java", "Kafka", "Kotlin",
    "Kubernetes", "Linux", "Machine learning", "Negotiation", "Node.js", "PostgreSQL",
    "Product strategy", "Python", "React", "Redis", "Ruby", "Rust", "Scala", "Security", "Spark",
    "SQL", "Statistics", "Swift", "Terraform", "TypeScript", "User research",
];

pub(crate) const ROLES: &[&str] = &[
    "Backend Engineer", "Frontend Engineer", "Platform Engineer", "Data Engineer", "Data Scientist",
    "Machine Learning Engineer", "Site Reliability Engineer", "Security Engineer", "Mobile Engineer",
    "Product Manager", "Product Designer", "Engineering Manager", "QA Engineer", "Solutions Architect",
    "Developer Advocate", "Technical Writer",
];

pub(crate) const SOURCES: &[(&str, u32)] = &[
    ("careers page", 26), ("referral", 18), ("job board", 24), ("sourced", 16), ("agency", 8),
    ("university", 5), ("event", 3),
];

pub(crate) const STATUSES: &[(&str, u32)] = &[
    ("applied", 30), ("screening", 20), ("interview", 18), ("offer", 4), ("hired", 8),
    ("rejected", 16), ("withdrawn", 4),
];

pub(crate) const SCORE_KINDS: &[&str] = &[
    "screening", "coding", "system design", "communication", "collaboration", "references",
    "take-home", "motivation",
];

pub(crate) const INTERVIEW_KINDS: &[(&str, u32)] =
    &[("phone", 34), ("technical", 30), ("onsite", 18), ("culture", 12), ("final", 6)];

pub(crate) const DESCRIPTION: &[&str] = &[
    "You own services from design to operation.",
    "The team ships small changes many times a day.",
    "We value plain writing and short meetings.",
    "You work with product and research from the first sketch.",
    "Reliability is a feature here, and you will be on a fair rota.",
    "We pair on hard problems and review each other's work kindly.",
    "You help to choose what we do not build.",
    "Our systems serve millions of people every week.",
    "You will have time for learning, and a budget for it.",
    "We hire for growth and promote from within.",
];
