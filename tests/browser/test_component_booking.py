"""Booking by the component in each of its variants: what is lost, done twice or interrupted ends in one booking."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.application import token
from tests.browser.live import Stage
from tests.browser.visit import BOOKS, Keyboard, Visit


def test_an_instant_listing_is_booked(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[1]
    visit.open(stage.instant)
    visit.book(start)
    visit.expect_booked()
    session_id = visit.told("onSuccess")
    assert visit.told("booked") == session_id
    assert stage.as_mentee.get(f"/sessions/{session_id}")["status"] == "scheduled"
    assert [(status, begin) for _id, status, begin in stage.bookings_of(stage.mentee)] == [("accepted", start)]


def test_the_chosen_listing_is_booked_although_a_cheaper_one_is_added(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[1]
    visit.open(stage.instant)
    visit.choose(start)
    cheaper = {"title": "Cheaper", "durationMinutes": 60, "price": {"amount": 500, "currency": "USD"}}
    stage.as_mentor.post("/listings", {**cheaper, "bookingMode": "instant"})
    visit.primary.click()
    visit.expect_booked()
    booking = stage.as_mentee.get("/bookings")["items"][0]
    assert (booking["listingId"], booking["price"]["amount"]) == (str(stage.instant.id), 4_000)


@pytest.mark.parametrize("variant", ["basic"])
def test_the_questions_of_a_listing_are_answered(visit: Visit, stage: Stage) -> None:
    questions = [
        {"id": "goal", "label": "What is your goal?", "kind": "text", "required": True},
        {"id": "level", "label": "How far are you?", "kind": "choice", "choices": ["New", "Good"], "required": False},
        {"id": "adult", "label": "Are you an adult?", "kind": "yes_no", "required": True},
    ]
    stage.as_mentor.patch(f"/listings/{stage.instant.id}", {"questions": questions})
    page, start = visit.page, stage.slots()[1]
    visit.open(stage.instant)
    visit.book(start)
    goal = page.get_by_label("What is your goal?")
    expect(goal).to_be_focused()
    expect(goal).to_have_accessible_description("Please answer this question.")
    expect(page.get_by_label("How far are you?")).to_have_accessible_description("")
    border = goal.evaluate("at => getComputedStyle(at).borderColor")
    expect(page.get_by_label("Are you an adult?")).to_have_css("border-color", border)
    assert stage.count_bookings() == 0
    goal.fill("Write a compiler")
    page.get_by_label("How far are you?").select_option("Good")
    page.get_by_label("Are you an adult?").select_option("yes")
    visit.primary.click()
    visit.expect_booked()
    answers = stage.as_mentee.get("/bookings")["items"][0]["answers"]
    assert [(each["id"], each["value"]) for each in answers] == [
        ("goal", "Write a compiler"),
        ("level", "Good"),
        ("adult", True),
    ]


def test_a_press_counts_whatever_would_move_under_it(visit: Visit, stage: Stage) -> None:
    page, start = visit.page, stage.slots()[1]
    asked: list[Route] = []
    page.route("**/holds", lambda route: asked.append(route), times=1)
    visit.open(stage.instant)
    visit.show_day(start.date())
    with page.expect_request("**/holds"):
        visit.slot(start).click()
    visit.primary.hover()
    page.mouse.down()
    # The answer puts a line above the button, between the press and its end.
    with page.expect_response("**/holds"):
        asked[0].continue_()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.up()
    visit.expect_booked()


def test_a_price_that_was_raised_meanwhile_is_shown_and_asked_for(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[1])
    expect(visit.primary).to_have_text("Book for $40")
    # A hold would keep the price and the terms.
    stage.expire_holds()
    stage.as_mentor.patch(f"/listings/{stage.instant.id}", {"price": {"amount": 18_500, "currency": "USD"}})
    visit.primary.click()
    expect(visit.messages).to_contain_text("The price has changed, and nothing has been booked.")
    expect(visit.messages.locator("b")).to_have_text("$185")
    assert (visit.told("failed"), stage.count_bookings()) == ("price_changed", 0)
    expect(visit.primary).to_have_text("Book for $185")
    visit.primary.click()
    visit.expect_booked()
    booking = stage.as_mentee.get("/bookings")["items"][0]
    assert booking["price"] == {"amount": 18_500, "currency": "USD"}


def test_terms_that_got_worse_meanwhile_are_shown_and_asked_for(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[1])
    # A hold would keep the price and the terms.
    stage.expire_holds()
    stage.as_mentor.patch(f"/listings/{stage.instant.id}", {"cancellation": None})
    visit.primary.click()
    expect(visit.messages).to_contain_text("nothing has been booked")
    expect(visit.messages.locator("b")).to_have_text("This session cannot be cancelled.")
    assert (visit.told("failed"), stage.count_bookings()) == ("terms_changed", 0)
    visit.primary.click()
    visit.expect_booked()


def test_a_request_is_accepted_while_the_page_is_open(visit: Visit, stage: Stage) -> None:
    visit.page.clock.install()
    visit.open(stage.on_request)
    visit.book(stage.slots()[0])
    expect(visit.heading).to_have_text("Your request has been sent")
    booking_id = visit.told("requested")
    assert visit.times_told("onSuccess") == 0
    accepted = stage.as_mentor.patch(f"/bookings/{booking_id}/accept")
    if visit.variant != "realtime":
        # It looks every now and then.
        visit.page.clock.fast_forward("00:20")
    visit.expect_booked()
    assert visit.told("onSuccess") == accepted["sessionId"]


def test_a_time_lost_to_another_person_is_seen(visit: Visit, stage: Stage) -> None:
    start, other = stage.slots()[:2]
    visit.page.clock.install()
    visit.open(stage.instant)
    visit.show_day(start.date())
    expect(visit.slot(start)).to_be_visible()
    if visit.variant == "realtime":
        visit.page.locator("[part~=connection]").wait_for()
        stage.book(stage.as_rival, start)
        visit.expect_taken(start)
    else:
        stage.book(stage.as_rival, start)
        visit.slot(start).click()
        expect(visit.messages).to_contain_text("no longer free")
        expect(visit.slot(start)).to_have_count(0)
    # The way on.
    visit.choose(other)
    visit.primary.click()
    visit.expect_booked()


def test_a_race_lost_at_the_end_is_seen(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[2]
    visit.open(stage.instant)
    visit.choose(start)
    visit.page.get_by_role("textbox", name="Notes").fill("How do I prepare?")
    with visit.page.expect_response(BOOKS) as answered:
        # The rival wins between the click and the arrival of the request.
        def lose(route: Route) -> None:
            if visit.variant == "realtime":
                # Shown as made, and taken back.
                expect(visit.heading).to_have_text("Confirming your booking …")
            stage.expire_holds()
            stage.book(stage.as_rival, start)
            route.continue_()

        visit.page.route(BOOKS, lose, times=1)
        visit.primary.click()
    assert answered.value.status == 409
    expect(visit.messages).to_contain_text("no longer free")
    expect(visit.slot(start)).to_have_count(0)
    assert visit.told("failed") == "slot_taken"
    assert stage.bookings_of(stage.mentee) == []


def test_a_lost_connection_is_recovered_from(visit: Visit, stage: Stage, context: BrowserContext) -> None:
    start = stage.slots()[0]
    visit.open(stage.instant)
    visit.choose(start)
    context.set_offline(True)
    visit.primary.click()
    if visit.variant == "realtime":
        expect(visit.heading).to_have_text("Your booking waits for a connection")
    else:
        expect(visit.messages).to_contain_text("There is no connection")
    assert stage.count_bookings() == 0
    context.set_offline(False)
    visit.expect_booked()
    assert stage.count_bookings() == 1


def test_a_form_that_was_refused_has_the_focus_again(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant, enable_optimistic_updates="false")
    visit.choose(stage.slots()[0])
    open_to_all = {"Access-Control-Allow-Origin": "*"}
    refusal = {"statusCode": 409, "code": "booking_limit", "error": "Conflict", "message": "No more this week."}
    visit.page.route(BOOKS, lambda route: route.fulfill(status=409, json=refusal, headers=open_to_all), times=1)
    # Its fields are disabled while it is sent.
    visit.page.locator("input[name=title]").press("Enter")
    expect(visit.messages).to_be_visible()
    expect(visit.primary).to_be_focused()
    visit.page.keyboard.press("Enter")
    visit.expect_booked()


@pytest.mark.chromium
def test_a_lost_answer_makes_one_booking(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    keys: list[str | None] = []

    def lose(route: Route) -> None:
        keys.append(route.request.header_value("Idempotency-Key"))
        assert route.fetch().status in (200, 201, 202)
        route.abort("connectionreset")

    visit.page.route(BOOKS, lose, times=1)
    with visit.page.expect_response(BOOKS) as again:
        visit.primary.click()
    assert keys == [again.value.request.header_value("Idempotency-Key")]
    visit.expect_booked()
    assert stage.count_bookings() == 1


def test_a_double_click_makes_one_booking(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    visit.primary.dblclick()
    visit.expect_booked()
    assert (visit.times_told("booked"), visit.times_told("onSuccess"), stage.count_bookings()) == (1, 1, 1)


@pytest.mark.chromium
def test_a_reload_while_it_is_sent_makes_one_booking(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])

    def swallow(route: Route) -> None:
        assert route.fetch().ok
        visit.page.evaluate("window.swallowed = true")

    visit.page.route(BOOKS, swallow, times=1)
    visit.primary.click()
    visit.page.wait_for_function("() => window.swallowed")
    visit.page.reload()
    visit.expect_booked()
    assert visit.told("onSuccess")
    assert stage.count_bookings() == 1


def test_a_reload_keeps_the_form(visit: Visit, stage: Stage) -> None:
    start = stage.slots()[3]
    visit.open(stage.instant)
    visit.choose(start)
    notes = visit.page.get_by_role("textbox", name="Notes")
    notes.fill("Half a sentence")
    visit.page.reload()
    expect(notes).to_have_value("Half a sentence")
    expect(visit.page.locator(".hold")).to_contain_text("kept for you for")
    visit.primary.click()
    visit.expect_booked()
    assert [begin for _id, _status, begin in stage.bookings_of(stage.mentee)] == [start]


def test_the_back_button_leads_to_one_booking(visit: Visit, stage: Stage) -> None:
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    visit.page.get_by_role("textbox", name="Notes").fill("Half a sentence")
    visit.page.get_by_role("link", name="Elsewhere").click()
    expect(visit.page).to_have_title("Elsewhere")
    visit.page.go_back()
    expect(visit.page.get_by_role("textbox", name="Notes")).to_have_value("Half a sentence")
    visit.primary.click()
    visit.expect_booked()
    visit.page.get_by_role("link", name="Elsewhere").click()
    expect(visit.page).to_have_title("Elsewhere")
    visit.page.go_back()
    # Going back books nothing, and shows free times again.
    expect(visit.page.locator("[part~=slot]").first).to_be_visible()
    assert stage.count_bookings() == 1


def test_an_expired_hold_is_told_and_taken_again(visit: Visit, stage: Stage) -> None:
    visit.page.clock.install()
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    stage.expire_holds()
    visit.page.clock.fast_forward("05:05")
    expect(visit.messages).to_contain_text("no longer kept for you")
    visit.page.clock.set_system_time(datetime.now(UTC))
    visit.page.get_by_role("button", name="Keep it again").click()
    expect(visit.page.locator(".hold")).to_contain_text("kept for you for")
    visit.primary.click()
    visit.expect_booked()


def test_an_expired_token_is_renewed(visit: Visit, stage: Stage) -> None:
    mentee, host = str(stage.mentee.id), stage.live.host
    host.expired[mentee] = 1
    visit.open(stage.instant)
    visit.choose(stage.slots()[0])
    assert host.issued[mentee] == 2

    def expire(route: Route) -> None:
        late = token({"sub": mentee}, lifetime=-60)
        route.continue_(headers={**route.request.headers, "authorization": f"Bearer {late}"})

    visit.page.route(BOOKS, expire, times=1)
    visit.primary.click()
    visit.expect_booked()
    assert (host.issued[mentee], stage.count_bookings()) == (3, 1)


@pytest.mark.parametrize("variant", ["basic"])
def test_a_declined_request_is_told(visit: Visit, stage: Stage) -> None:
    visit.page.clock.install()
    visit.open(stage.on_request)
    visit.book(stage.slots()[0])
    booking_id = visit.told("requested")
    stage.as_mentor.patch(f"/bookings/{booking_id}/decline", {"reason": "I am on holiday."})
    visit.page.clock.fast_forward("00:20")
    expect(visit.heading).to_have_text("The coach has declined your request")
    expect(visit.page.locator("[part~=result]")).to_contain_text("I am on holiday.")


@pytest.mark.parametrize("variant", ["basic"])
def test_a_visitor_sees_times_and_is_asked_to_sign_in(visit: Visit, stage: Stage) -> None:
    visit.open_as_visitor(stage.instant)
    visit.show_day()
    visit.slot(stage.slots()[0]).click()
    expect(visit.messages).to_contain_text("Please sign in")
    assert visit.times_told("signin") == 1
    # By the keyboard alone, before there is anything to fill in, and each time.
    keyboard = Keyboard(visit.page)
    for times in (2, 3):
        keyboard.reach(visit.page.get_by_role("button", name="Sign in to book"))
        keyboard.press("Enter")
        assert visit.times_told("signin") == times
    expect(visit.page.get_by_label("Subject")).to_have_count(0)


@pytest.mark.parametrize("variant", ["Basic"])
@pytest.mark.parametrize("element", ["session-booking", "session-booking-form"])
def test_what_is_named_is_added_to_the_basic_variant(visit: Visit, stage: Stage, element: str) -> None:
    page, start = visit.page, stage.slots()[1]
    features = ("show_availability_status", "show_connection_status", "enable_optimistic_updates")
    page.clock.install()
    visit.open(stage.instant, element=element, **dict.fromkeys(features, ""))
    expect(page.locator("[part~=availability]")).to_contain_text("Next free time")
    expect(page.locator("[part~=connection]")).to_contain_text("Live")
    visit.show_day(start.date())
    # What another person takes goes away, as "Live" says.
    body = {"startTime": start.isoformat(), "durationMinutes": stage.instant.duration_minutes}
    held = stage.as_rival.post(f"/mentors/{stage.mentor.id}/holds", body)
    visit.expect_taken(start)
    assert stage.as_rival("DELETE", f"/holds/{held['id']}").status == 204
    expect(visit.slot(start)).to_be_visible()
    assert page.locator("[part~=groups], [part~=refused]").count() == 0
    visit.choose(start)

    def look(route: Route) -> None:
        expect(visit.heading).to_have_text("Confirming your booking …")
        route.continue_()

    page.route(BOOKS, look, times=1)
    visit.primary.click()
    visit.expect_booked()
