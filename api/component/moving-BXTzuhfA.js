import{J as e,N as t,R as n,U as r,Y as i,ft as a,it as o,mt as s,n as c,r as l,t as u,u as d,v as f,w as p,x as m}from"./session-booking.js";var h={title:`Move the session to another time`,now:`It now starts`,to:`It will start`,atOnce:`The session moves at once.`,byAgreement:`The other side gets your proposal. The session moves when they accept it.`,replaces:`It replaces the time that you have proposed before.`,other:`Choose another time`,reason:`Reason`,reasonHint:`Shown to both of you.`,move:`Move the session`,propose:`Propose this time`,keep:`Keep the time`,yours:e=>`You have proposed to move it to ${e}.`,theirs:(e,t)=>`${e} proposes to move it to ${t}.`,between:e=>`It is proposed to move it to ${e}.`,party:{mentor:`The coach`,mentee:`The client`,operator:`The organiser`},until:e=>`The proposal expires on ${e}.`,expired:`The proposal has expired.`,accept:`Accept`,decline:`Decline`,withdraw:`Withdraw the proposal`,moved:`The session has been moved.`,proposed:`Your proposal has been sent.`,declined:`The proposal has been declined. The session keeps its time.`,withdrawn:`Your proposal has been withdrawn.`},g={title:`Die Sitzung verlegen`,now:`Jetziger Beginn`,to:`Neuer Beginn`,atOnce:`Die Sitzung wird sofort verlegt.`,byAgreement:`Die andere Seite bekommt Ihren Vorschlag. Nimmt sie ihn an, wird die Sitzung verlegt.`,replaces:`Er ersetzt die Zeit, die Sie zuvor vorgeschlagen haben.`,other:`Andere Zeit wählen`,reason:`Grund`,reasonHint:`Für beide Seiten sichtbar.`,move:`Sitzung verlegen`,propose:`Zeit vorschlagen`,keep:`Zeit behalten`,yours:e=>`Sie haben vorgeschlagen, sie auf ${e} zu verlegen.`,theirs:(e,t)=>`${e} schlägt vor, sie auf ${t} zu verlegen.`,between:e=>`Es wird vorgeschlagen, sie auf ${e} zu verlegen.`,party:{mentor:`Der Coach`,mentee:`Die andere Seite`,operator:`Der Veranstalter`},until:e=>`Der Vorschlag gilt bis ${e}.`,expired:`Der Vorschlag ist abgelaufen.`,accept:`Annehmen`,decline:`Ablehnen`,withdraw:`Vorschlag zurückziehen`,moved:`Die Sitzung ist verlegt.`,proposed:`Ihr Vorschlag wurde gesendet.`,declined:`Der Vorschlag ist abgelehnt. Die Sitzung behält ihre Zeit.`,withdrawn:`Ihr Vorschlag wurde zurückgezogen.`};function _(e){return r(`moving`,{en:h,de:g},e)}var v=1e3,y=new Set([`slot_taken`,`outside_hours`,`too_soon`,`beyond_horizon`,`booking_limit`]),b=class{#e;#t;#n=``;#r;constructor(t){this.context=t;let{client:n,element:r,signal:a,store:s}=t,{zone:u}=s.state;this.#e=new c(o(u,i(Date.now(),u))),this.#t=new d(n,this.#e,a),l(r,a,this.#e),this.#r={chooseDay:e=>this.#e.update({day:e}),chooseSlot:e=>void this.#c(e,`#move-reason`),chooseZone:e=>this.#l(e),findNext:()=>void this.#t.findNext(),reloadSlots:()=>this.#t.reload(),showMonth:t=>{let{month:n}=this.#e.state;this.#e.update({month:e(n,t),day:null}),this.#t.complete()}}}renderDialog(e){let{session:t,error:r}=e,i=this.#i;queueMicrotask(()=>this.#s(e));let{slot:o}=this.#e.state,c=[i.now,this.#a(t.startTime)];if(!o)return s`<div class="form">
        <h2 id="dialog-title">${i.title}</h2>
        ${n([c])} ${r} ${f(this.#o())}
        <div class="actions">${p(i.keep,()=>e.close())}</div>
      </div>`;let l=t.proposal?.proposedBy===e.role;return u({content:s`<h2 id="dialog-title">${i.title}</h2>
        ${n([c,[i.to,s`<b>${this.#a(o.startTime)}</b>`]])}
        <p role="status">
          ${e.isAtOnce?i.atOnce:i.byAgreement} ${!e.isAtOnce&&l?i.replaces:a}
        </p>
        <div class="field">
          <label for="move-reason"
            >${i.reason} <span class="muted">(${this.context.words.form.optional})</span></label
          >
          <textarea
            id="move-reason"
            name="reason"
            rows="2"
            maxlength=${v}
            dir="auto"
            aria-describedby="move-reason-hint"
          ></textarea>
          <p class="muted" id="move-reason-hint">${i.reasonHint}</p>
        </div>
        ${r}`,confirm:e.isBusy?this.context.words.form.sending:e.isAtOnce?i.move:i.propose,isBusy:e.isBusy,submit:t=>this.#u(e,o,String(t.get(`reason`)??``).trim()),others:s`${p(i.other,()=>this.#c(null,`[data-focus]`))}
      ${p(i.keep,()=>e.close())}`})}renderProposal(e){let{session:t,role:n,isBusy:r}=e,{proposal:i}=t;if(!i||i.status!==`open`)return a;let o=this.#i,c=this.#a(i.startTime),l=i.proposedBy===n,u=Date.parse(i.expiresAt)<=Date.now(),d=(t,n,c=!1)=>s`<button
        type="button"
        part=${c?`button primary`:`button`}
        class=${c?`primary`:``}
        data-action=${t}
        aria-disabled=${r?`true`:a}
        @click=${()=>r||e.send(`proposals/${i.id}/${t}`,{},n)}
      >
        ${o[t]}
      </button>`;return s`<div class="message" part="message proposal" role="status">
      <p>
        <b>${l?o.yours(c):n===`operator`?o.between(c):o.theirs(x(t,i)??o.party[i.proposedBy]??``,c)}</b>
        ${i.reason?s`<br /><span dir="auto">${i.reason}</span>`:a}
        <br /><span class="muted">${u?o.expired:o.until(this.#a(i.expiresAt))}</span>
      </p>
      ${u||!e.mayAct||n===`operator`?a:s`<div class="actions">
            ${l?d(`withdraw`,o.withdrawn):s`${d(`accept`,o.moved,!0)} ${d(`decline`,o.declined)}`}
          </div>`}
    </div>`}get#i(){let{options:e,words:t}=this.context;return _({locale:e.locale,words:t})}#a(e){return t({locale:this.context.options.locale,zone:this.#e.state.zone},Date.parse(e))}#o(){let{options:e,words:t}=this.context,{locale:n,signInUrl:r}=e,i=this.#r;return{state:this.#e.state,flow:i,words:t,locale:n,signInUrl:r,now:Date.now(),course:null,enhanced:null,realtime:null}}#s({session:e,booking:t}){let n=`${e.id} ${e.startTime}`;if(this.#n===n||!t)return;this.#n=n;let r={...e.mentor,id:e.mentorProfileId};this.#e.update({phase:`ready`,slot:null,offers:[{mentor:r,listings:[]}],listing:t.listingId?{id:t.listingId}:null,durationMinutes:t.durationMinutes}),this.#t.restart()}async#c(e,t){let{element:n}=this.context;this.#e.update({slot:e}),await n.updateComplete,n.shadowRoot?.querySelector(`dialog ${t}`)?.focus()}#l(t){let{day:n,calendar:r,zone:a}=this.#e.state,o=r.slots.find(e=>i(m(e),a)===n),s=o?i(m(o),t):n;this.#e.update({zone:t,day:s,...s&&{month:e(s,0)}})}async#u(e,{startTime:t},n){let r=this.#i,i={startTime:t,...n&&{reason:n}},a=await e.send(`reschedule`,i,e.isAtOnce?r.moved:r.proposed);if(a||(this.#n=``),!a||!y.has(a.code))return;let{calendar:o}=this.#e.state,s=o.slots.filter(e=>e.startTime!==t);this.#e.update({slot:null,calendar:{...o,slots:s}}),this.#t.reload()}};function x(e,{proposedBy:t}){return t===`operator`?void 0:e[t]?.name}export{b as Moving};