"""Small lists of words that believable people are made of."""

from __future__ import annotations

GIVEN_NAMES = (
    *("Ada", "Amara", "Anton", "Bela", "Carmen", "Chidi", "Chloe", "Dilan", "Elena", "Emeka", "Farah", "Finn"),
    *("Greta", "Hana", "Hugo", "Ines", "Ivo", "Jun", "Kaya", "Leila", "Linus", "Mara", "Mateo", "Mina"),
    *("Nadia", "Noor", "Omar", "Paula", "Priya", "Rafael", "Rosa", "Samir", "Sofia", "Tariq", "Vera", "Yuki"),
)
FAMILY_NAMES = (
    *("Adeyemi", "Alvarez", "Bakker", "Becker", "Castro", "Chen", "Costa", "Diallo", "Eriksen", "Farkas"),
    *("Fischer", "Garcia", "Haddad", "Hansen", "Ito", "Ivanova", "Jensen", "Kaplan", "Khan", "Kovacs"),
    *("Lindqvist", "Moreau", "Mwangi", "Nair", "Novak", "Okafor", "Oliveira", "Park", "Petrov", "Quinn"),
    *("Rahman", "Rossi", "Sato", "Silva", "Tanaka", "Ueda", "Vargas", "Weber", "Yilmaz", "Zhou"),
)
TIME_ZONES = (
    *("Europe/Berlin", "Europe/Lisbon", "Europe/London", "Europe/Stockholm", "America/New_York", "America/Sao_Paulo"),
    *("America/Los_Angeles", "Africa/Lagos", "Africa/Nairobi", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney"),
)
# What people do, and what they can therefore help with.
TRADES = {
    "Engineering manager": ("careers", "interviews", "leadership", "hiring", "feedback"),
    "Backend engineer": ("python", "postgresql", "go", "system design", "interviews"),
    "Frontend engineer": ("typescript", "react", "accessibility", "design systems", "css"),
    "Data scientist": ("statistics", "machine learning", "python", "sql", "experiments"),
    "Product manager": ("product", "roadmaps", "user research", "careers", "strategy"),
    "Designer": ("design", "portfolios", "user research", "typography", "accessibility"),
    "Mathematics tutor": ("algebra", "calculus", "statistics", "exam preparation"),
    "Language coach": ("english", "german", "spanish", "presentations", "exam preparation"),
    "Founder": ("startups", "fundraising", "strategy", "hiring", "pricing"),
    "Researcher": ("academic writing", "statistics", "grants", "careers"),
}
BIOS = (
    "I ask more than I tell, and write down what we agreed on.",
    "Bring a question, leave with a plan for the next two weeks.",
    "I have made most of the mistakes already, so that you can make others.",
    "Patient with beginners, frank with everybody.",
    "We begin where you stand and stop when you can go on alone.",
)
OFFERS = (
    "Career advice",
    "Mock interview",
    "Portfolio review",
    "Getting unstuck",
    "A plan for the next quarter",
    "Exam preparation",
    "Reading your draft",
    "Pair work",
)
TOPICS = (
    "Where to go next",
    "An offer that I have to decide on",
    "Preparing for an interview",
    "My first talk",
    "Feedback on a piece of work",
    "Learning plan",
    "How to lead without a title",
    "Understanding the last assignment",
)
NOTES = (
    None,
    None,
    "I have attached the task to the invitation.",
    "This is my first session, so please begin with the basics.",
    "Forty minutes would be enough if we are quick.",
)
REASONS_TO_DECLINE = (
    None,
    "I am away that week.",
    "This is not my field; try a colleague.",
    "Please choose a later day.",
)
REASONS_TO_CANCEL = (None, "I found another time.", "Something came up.", "I have solved it meanwhile.")
SESSION_NOTES = (
    "We went through the material and found two gaps.",
    "A good start; we agreed on small steps.",
    "Mostly questions and answers.",
    "We practised twice, the second time much better.",
)
ACTION_ITEMS = (
    "Write a first draft",
    "Read the two chapters",
    "Ask a colleague for feedback",
    "Practise with a timer",
    "Book the next session",
)
# By rating, with more good ones than bad ones, as people write them.
COMMENTS = {
    5: ("Clear, kind and to the point.", "I left with a plan, and it worked.", None),
    4: ("Very helpful, a little rushed at the end.", "Good questions, and patience with mine.", None),
    3: ("Useful in parts; I had hoped for more examples.", None),
    2: ("We spent most of the time on what I knew already.",),
}
ANSWERS = (
    "Thank you, I enjoyed it too.",
    "Thank you for saying so. Let us begin with that the next time.",
    "Well prepared as you were, it was easy.",
)
# Courses by the skill that those who teach them have.
COURSES = {
    "statistics": ("Statistics from the beginning", "Chance, samples and what can be said about the rest."),
    "interviews": ("Ready for the interview", "Stories worth telling, and questions worth asking."),
    "exam preparation": ("Four weeks to the exam", "What to learn, what to leave, and how to keep calm."),
}
