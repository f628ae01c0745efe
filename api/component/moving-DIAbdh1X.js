import{P as e,W as t,Y as n,at as r,gt as i,j as a,mt as o,n as s,r as c,t as l,u,v as d,w as f,z as p}from"./session-booking.js";var m={title:`Move the session to another time`,now:`It now starts`,to:`It will start`,atOnce:`The session moves at once.`,byAgreement:`The other side gets your proposal. The session moves when they accept it.`,replaces:`It replaces the time that you have proposed before.`,other:`Choose another time`,reason:`Reason`,reasonHint:`Shown to both of you.`,move:`Move the session`,propose:`Propose this time`,keep:`Keep the time`,yours:e=>`You have proposed to move it to ${e}.`,theirs:(e,t)=>`${e} proposes to move it to ${t}.`,between:e=>`It is proposed to move it to ${e}.`,party:{mentor:`The coach`,mentee:`The client`,operator:`The organiser`},until:e=>`The proposal expires on ${e}.`,expired:`The proposal has expired.`,accept:`Accept`,decline:`Decline`,withdraw:`Withdraw the proposal`,moved:`The session has been moved.`,proposed:`Your proposal has been sent.`,declined:`The proposal has been declined. The session keeps its time.`,withdrawn:`Your proposal has been withdrawn.`},h={title:`Die Sitzung verlegen`,now:`Jetziger Beginn`,to:`Neuer Beginn`,atOnce:`Die Sitzung wird sofort verlegt.`,byAgreement:`Die andere Seite bekommt Ihren Vorschlag. Nimmt sie ihn an, wird die Sitzung verlegt.`,replaces:`Er ersetzt die Zeit, die Sie zuvor vorgeschlagen haben.`,other:`Andere Zeit wählen`,reason:`Grund`,reasonHint:`Für beide Seiten sichtbar.`,move:`Sitzung verlegen`,propose:`Zeit vorschlagen`,keep:`Zeit behalten`,yours:e=>`Sie haben vorgeschlagen, sie auf ${e} zu verlegen.`,theirs:(e,t)=>`${e} schlägt vor, sie auf ${t} zu verlegen.`,between:e=>`Es wird vorgeschlagen, sie auf ${e} zu verlegen.`,party:{mentor:`Der Coach`,mentee:`Die andere Seite`,operator:`Der Veranstalter`},until:e=>`Der Vorschlag gilt bis ${e}.`,expired:`Der Vorschlag ist abgelaufen.`,accept:`Annehmen`,decline:`Ablehnen`,withdraw:`Vorschlag zurückziehen`,moved:`Die Sitzung ist verlegt.`,proposed:`Ihr Vorschlag wurde gesendet.`,declined:`Der Vorschlag ist abgelehnt. Die Sitzung behält ihre Zeit.`,withdrawn:`Ihr Vorschlag wurde zurückgezogen.`};function g(e){return t(`moving`,{en:m,de:h},e)}var _=1e3,v=new Set([`slot_taken`,`outside_hours`,`too_soon`,`beyond_horizon`,`booking_limit`]),y=class{#e;#t;#n=``;#r;constructor(e){this.context=e;let{client:t,element:i,signal:a,store:o}=e,{zone:l}=o.state;this.#e=new s(r(l,n(Date.now(),l))),this.#t=new u(t,this.#e,a),c(i,a,this.#e),this.#r={chooseDay:e=>this.#e.update({day:e}),chooseSlot:e=>void this.#c(e,`#move-reason`),chooseZone:e=>this.#t.chooseZone(e),findNext:()=>void this.#t.findNext(),reloadSlots:()=>this.#t.reload(),showMonth:e=>this.#t.showMonth(e)}}restart(){this.#n=``}renderDialog(e){let{session:t,error:n}=e,r=this.#i;queueMicrotask(()=>this.#s(e));let{slot:a}=this.#e.state,s=[r.now,this.#a(t.startTime)];if(!a)return i`<div class="form">
        <h2 id="dialog-title">${r.title}</h2>
        ${p([s])} ${n} ${d(this.#o())}
        <div class="actions">${f(r.keep,()=>e.close())}</div>
      </div>`;let c=t.proposal?.proposedBy===e.role;return l({content:i`<h2 id="dialog-title">${r.title}</h2>
        ${p([s,[r.to,i`<b>${this.#a(a.startTime)}</b>`]])}
        <p role="status">
          ${e.isAtOnce?r.atOnce:r.byAgreement} ${!e.isAtOnce&&c?r.replaces:o}
        </p>
        <div class="field">
          <label for="move-reason"
            >${r.reason} <span class="muted">(${this.context.words.form.optional})</span></label
          >
          <textarea
            id="move-reason"
            name="reason"
            rows="2"
            maxlength=${_}
            dir="auto"
            aria-describedby="move-reason-hint"
          ></textarea>
          <p class="muted" id="move-reason-hint">${r.reasonHint}</p>
        </div>
        ${n}`,confirm:e.isBusy?this.context.words.form.sending:e.isAtOnce?r.move:r.propose,isBusy:e.isBusy,submit:t=>this.#l(e,a,String(t.get(`reason`)??``).trim()),others:i`${f(r.other,()=>this.#c(null,`[data-focus]`))}
      ${f(r.keep,()=>e.close())}`})}renderProposal(e){let{session:t,role:n,isBusy:r}=e,{proposal:a}=t;if(!a||a.status!==`open`)return o;let s=this.#i,c=this.#a(a.startTime),l=a.proposedBy===n,u=Date.parse(a.expiresAt)<=this.context.client.now,d=(t,n,c=!1)=>i`<button
        type="button"
        part=${c?`button primary`:`button`}
        class=${c?`primary`:``}
        data-action=${t}
        aria-disabled=${r?`true`:o}
        @click=${()=>r||e.send(`proposals/${a.id}/${t}`,{},n)}
      >
        ${s[t]}
      </button>`;return i`<div class="message" part="message proposal" role="status">
      <p>
        <b>${l?s.yours(c):n===`operator`?s.between(c):s.theirs(b(t,a)??s.party[a.proposedBy]??``,c)}</b>
        ${a.reason?i`<br /><span dir="auto">${a.reason}</span>`:o}
        <br /><span class="muted">${u?s.expired:s.until(this.#a(a.expiresAt))}</span>
      </p>
      ${u||!e.mayAct||n===`operator`?o:i`<div class="actions">
            ${l?d(`withdraw`,s.withdrawn):i`${d(`accept`,s.moved,!0)} ${d(`decline`,s.declined)}`}
          </div>`}
    </div>`}get#i(){let{options:e,words:t}=this.context;return g({locale:e.locale,words:t})}#a(t){return e({locale:this.context.options.locale,zone:this.#e.state.zone},Date.parse(t))}#o(){let{options:e,words:t}=this.context,{locale:n,signInUrl:r}=e,i=this.#r,o=a(this.context.element).day;return{state:this.#e.state,flow:i,words:t,locale:n,signInUrl:r,now:Date.now(),focusedDay:o,course:null,enhanced:null,realtime:null}}#s({session:e,booking:t}){let n=`${e.id} ${e.startTime}`;if(this.#n===n||!t)return;this.#n=n;let r={...e.mentor,id:e.mentorProfileId};this.#e.update({phase:`ready`,slot:null,offers:[{mentor:r,listings:[]}],listing:t.listingId?{id:t.listingId}:null,durationMinutes:t.durationMinutes}),this.#t.restart()}async#c(e,t){let{element:n}=this.context;this.#e.update({slot:e}),await n.updateComplete,n.shadowRoot?.querySelector(`dialog ${t}`)?.focus()}async#l(e,{startTime:t},n){let r=this.#i,i={startTime:t,...n&&{reason:n}},a=await e.send(`reschedule`,i,e.isAtOnce?r.moved:r.proposed);if(!a||!v.has(a.code))return;let{calendar:o}=this.#e.state,s=o.slots.filter(e=>e.startTime!==t);this.#e.update({slot:null,calendar:{...o,slots:s}}),this.#t.reload()}};function b(e,{proposedBy:t}){return t===`operator`?void 0:e[t]?.name}export{y as Moving};