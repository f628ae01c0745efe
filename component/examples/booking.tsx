/** A page that books sessions, and a page of one session: copy them, and put your own addresses and key in. */

import { UnifiedSessionBooking, type Session, type SessionActions } from "@tutelage/react";
import { useState } from "react";

const booking = {
  api: "https://booking.example.org",
  publishableKey: "tpk_4f0d1c7a9b2e8d6350af41c2",
  // Of this site: it answers {token, expiresAt} for whom is signed in here.
  tokenUrl: "/booking-token",
  signInUrl: "/sign-in",
};

export function BookingPage({ mentor }: { mentor: string }) {
  const [session, setSession] = useState<Session | null>(null);
  return (
    <main>
      <h1>Book a session</h1>
      <UnifiedSessionBooking
        {...booking}
        variant="realtime"
        mentor={mentor}
        showAvailabilityStatus={true}
        showConnectionStatus={true}
        enableOptimisticUpdates={true}
        onSuccess={setSession}
      >
        <p>Loading the calendar …</p>
      </UnifiedSessionBooking>
      {session && (
        <p>
          <a href={`/sessions/${session.id}`}>Open your session with {session.mentor?.name}</a>
        </p>
      )}
    </main>
  );
}

export function SessionPage({ sessionId, sessionActions }: { sessionId: string; sessionActions?: SessionActions }) {
  return (
    <main>
      <h1>Your session</h1>
      <UnifiedSessionBooking
        {...booking}
        variant="enhanced"
        existingSessionId={sessionId}
        showSessionActions={true}
        sessionActions={sessionActions}
        onCompleted={() => location.assign("/sessions")}
      />
    </main>
  );
}
