/** The coach card: who, how good, for how much; and what to book where there is a choice. */

import { html, nothing, type TemplateResult } from "lit";
import type { Listing, Mentor } from "../api/types.js";
import { offeredListings } from "./offers.js";
import { count, durationOf, linkTo, priceOf } from "../ui/view.js";
import type { View } from "./contracts.js";

export function renderCard(view: View, listingId: string | null): TemplateResult {
  const { course, offers } = view.state;
  const [offer] = offers;
  return html`<header class="card" part="card">
    ${course
      ? html`<div class="who">
          <h2>${course.title}</h2>
          ${course.description ? html`<p class="muted">${course.description}</p>` : nothing}
        </div>`
      : offer
        ? renderPerson(view, offer.mentor)
        : html`<span class="avatar skeleton"></span>`}
    ${course ? view.course?.renderChoice(view) : renderListings(view, offeredListings(offer, listingId))}
  </header>`;
}

/** A mentor's picture, name, headline and rating. */
export function renderPerson(view: View, mentor: Mentor): TemplateResult {
  return html`<div class="person">
    ${renderAvatar(mentor)}
    <div class="who">
      <h2>${mentor.name}</h2>
      <p class="muted">${mentor.headline}</p>
      <p class="facts">
        ${renderRating(view, mentor)}${view.enhanced?.renderAvailability() ?? nothing}
      </p>
    </div>
  </div>`;
}

function renderAvatar({ avatarUrl, name }: Mentor): TemplateResult {
  const names = name.split(/\s+/);
  const initials = [names[0], names.length > 1 && names.at(-1)].map((each) => (each ? [...each][0] : ""));
  // The initials stand behind the picture, and remain where it cannot be loaded.
  return html`<span class="avatar" aria-hidden="true"
    >${initials}${linkTo(avatarUrl)
      ? html`<img src=${avatarUrl} alt="" loading="lazy" referrerpolicy="no-referrer" @error=${hide} />`
      : nothing}</span
  >`;
}

function hide(event: Event): void {
  (event.target as HTMLElement).hidden = true;
}

export function renderRating(view: View, { rating, reviewCount }: Mentor): TemplateResult {
  const { words, locale } = view;
  if (rating === null) return html`<span class="muted">${words.card.noReviews}</span>`;
  const shown = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(rating);
  const reviews = count(view, reviewCount, words.plurals.reviews);
  return html`<span class="rating" role="img" aria-label=${words.card.rating(shown, reviews)}
    ><span class="star" aria-hidden="true">★</span> <b>${shown}</b> <span class="muted">(${reviews})</span></span
  >`;
}

function renderListings(view: View, listings: Listing[]): unknown {
  const { words, state, flow } = view;
  if (listings.length < 2) {
    return listings.map((listing) => html`<div class="offer single">${renderListing(view, listing)}</div>`);
  }
  return html`<fieldset class="offers">
    <legend>${words.card.session}</legend>
    ${listings.map(
      (listing) => html`<label class="offer">
        <input
          type="radio"
          name="listing"
          .checked=${state.listing?.id === listing.id}
          @change=${() => flow.chooseListing(listing.id)}
        />
        ${renderListing(view, listing)}
      </label>`,
    )}
  </fieldset>`;
}

function renderListing(view: View, listing: Listing): TemplateResult {
  const { card } = view.words;
  const mode = listing.bookingMode === "instant" ? card.instant : card.request;
  return html`<span
      ><b>${listing.title}</b><br /><span class="muted">${durationOf(view, listing.durationMinutes)} · ${mode}</span></span
    ><b class="price">${priceOf(view, listing.price)}</b>`;
}
