import{B as e,C as t,F as n,L as r,M as i,O as a,P as o,R as s,T as c,U as l,V as u,Y as d,a as f,c as p,ht as m,k as h,o as g,ot as _,pt as v,rt as y,s as b,w as x,x as S,z as C}from"./session-booking.js";var w={choose:`Please choose`,yes:`Yes`,no:`No`,missing:`Please answer this question.`},T={choose:`Bitte auswählen`,yes:`Ja`,no:`Nein`,missing:`Bitte beantworten Sie diese Frage.`};function E(e){return l(`questions`,{en:w,de:T},e)}var D=`yes`;function O(e,t){return m`${t.questions.map(n=>k(e,t,n))}`}function k(e,{answers:t,errors:r,prefix:i,answer:a},o){let{id:s,label:c,kind:l,required:u}=o,d=`${i}-${s}`,f=t[s]??``,p=r[y(s)],h=p?`true`:`false`,g=e=>a(s,C(e));return m`<div class="field">
    <label for=${d} dir="auto"
      >${c} ${u?v:m`<span class="muted">(${e.words.form.optional})</span>`}</label
    >
    ${l===`text`?m`<textarea
          id=${d}
          rows="2"
          dir="auto"
          ?required=${u}
          .value=${f}
          aria-invalid=${h}
          aria-describedby="${d}-error"
          @input=${g}
        ></textarea>`:m`<select
          id=${d}
          ?required=${u}
          data-value=${f}
          aria-invalid=${h}
          aria-describedby="${d}-error"
          @change=${g}
        >
          ${A(e,o).map(([e,t])=>m`<option value=${e}>${t}</option>`)}
        </select>`}
    ${n(`${d}-error`,p)}
  </div>`}function A(e,{kind:t,choices:n,required:r}){let i=E(e),a=[``,r?i.choose:`–`],o=[[D,i.yes],[`no`,i.no]];return[a,...t===`yes_no`?o:(n??[]).map(e=>[e,e])]}function j(e,t,n){let r=t.filter(({id:e,required:t})=>t&&!n[e]?.trim()).map(({id:t})=>[y(t),[E(e).missing]]);return r.length?Object.fromEntries(r):null}function M(e,t){let n=e.flatMap(({id:e,kind:n})=>{let r=t[e]?.trim();return r?[[e,n===`yes_no`?r===D:r]]:[]});return n.length?{answers:Object.fromEntries(n)}:{}}var N=36e5;function P({words:e},t){return t?.location?.kind===`address`?t.location.value??e.form.inPerson:t?.location?.kind===`phone`?e.form.phone:e.form.online}function F({enhanced:e}){return e?.extras?.series.sessions()??1}function I(e,t,n,r){return t?e.course?.creditsText(e,r):n?r>1&&n.amount?e.words.form.inAll(L(e,n,r),o(e,n)):o(e,n):null}function L(e,t,n){return o(e,{...t,amount:t.amount*n})}function R(e,t,n){let{words:r,locale:i,state:a,course:s,now:c}=e,{cancellation:l}=t;if(!l)return r.form.noCancelling;let{windowHours:u,lateFeePercent:f}=l,p=n&&Math.floor((n.amount*f+50)/100);if(!f||!a.slot||p===0)return r.form.alwaysFree;let m=S(a.slot)-u*N,h=m>c?`${r.form.freeUntil(d(m,i,a.zone))} `:`${r.form.freeAtFirst} `;if(!n||p===null)return h+(s?.courseWords(e).lateCredit??``);let g=new Intl.NumberFormat(i,{style:`percent`}).format(f/100),_=o(e,{...n,amount:p});return h+r.form.lateFee(_,g)}function z(e){let{words:t,state:n,flow:r,enhanced:i,realtime:a}=e,{submission:o}=n,s=`series`in o&&o.series?i?.extras?.series.renderResult(o.series):v,{tone:c,title:l,hint:u}=B(e),d=x(t.result.another,()=>r.bookAnother()),f=o.kind===`sending`||o.kind===`queued`;return m`<section class="result" part="result" aria-busy=${o.kind===`sending`?`true`:`false`}>
    <div class="outcome ${c}">
      ${c===`success`?m`<span class="mark" aria-hidden="true">✓</span>`:v}
      ${o.kind===`sending`?m`<span class="spinner" aria-hidden="true"></span>`:v}
      <div>
        <h2 tabindex="-1" data-focus>${l}</h2>
        ${u?m`<p class="muted" role="status">${u}</p>`:v}
      </div>
    </div>
    ${V(e)} ${s??v}
    ${f?o.kind===`queued`&&a?a.renderQueued():v:r.following?.render(e,d)??m`<div class="actions">${d}</div>`}
  </section>`}function B({words:e,state:{submission:t},flow:n,locale:r}){let{form:i,result:a}=e;switch(t.kind){case`booked`:case`pending`:return{tone:`success`,title:a.booked,hint:n.following?.hint(t,r)};case`requested`:return{tone:`waiting`,title:a.requested,hint:i.requestHint};case`queued`:return{tone:`waiting`,title:a.queued};case`unpaid`:case`closed`:return n.following?.outcome(t.booking,r)??{tone:`waiting`,title:a.confirming};default:return{tone:`waiting`,title:a.confirming}}}function V(e){let{words:t,state:n}=e,r=`booking`in n.submission?n.submission.booking:null,i=r??n.slot,a=r?.price??b(n),o=r?.mentor?.name??g(n)?.mentor.name,c=`series`in n.submission?n.submission.series:null,l=r?c?.made.length??1:F(e),d=r?r.bundlePurchaseId!==null:n.payment?.kind===`bundle`;return s([[t.form.when,i&&u(e,i)],[t.result.with,o],[t.form.subject,r?.title??n.form.title],[t.form.where,P(e,r??f(n))],[t.form.price,I(e,d,a,l)]])}function H(e){let{words:n,state:i,flow:a}=e,o=_(i);return m`<form class="form" part="form" novalidate aria-busy=${o?`true`:`false`} @submit=${e=>{e.preventDefault(),a.submit()}}>
    <button type="button" class="link" part="button" ?disabled=${o} @click=${()=>a.leaveForm()}>
      ${t(`m15 6-6 6 6 6`)} ${n.back}
    </button>
    <h3 tabindex="-1" data-focus>${n.form.title}</h3>
    ${K(e)} ${q(e)}
    ${U(i)?r(e,void 0,n.form.signInToBook):W(e,o)}
  </form>`}function U({needsSignIn:e,submission:t}){return e&&t.kind!==`refused`}function W(e,t){let{words:r,state:i,flow:a,course:o,enhanced:s}=e,{form:c,fieldErrors:l}=i;return m`<fieldset class="fields" ?disabled=${t}>
      ${o?.renderFields(e)??v}
      <div class="field">
        <label for="title">${r.form.subject}</label>
        <input
          id="title"
          name="title"
          required
          .value=${c.title}
          aria-invalid=${l.title?`true`:`false`}
          aria-describedby="title-error"
          @input=${e=>a.fillIn({title:C(e)})}
        />
        ${n(`title-error`,l.title)}
      </div>
      <div class="field">
        <label for="notes">${r.form.notes} <span class="muted">(${r.form.optional})</span></label>
        <textarea
          id="notes"
          name="notes"
          rows="3"
          .value=${c.notes}
          aria-invalid=${l.notes?`true`:`false`}
          aria-describedby="notes-error"
          @input=${e=>a.fillIn({notes:C(e)})}
        ></textarea>
        ${n(`notes-error`,l.notes)}
      </div>
      ${G(e)} ${s?.extras?.series.render()??v}
      ${n(`recurrence-error`,l.recurrence)} ${n(`other-error`,l.other)}
    </fieldset>
    ${J(e)} ${X(e,t)}`}function G(e){let{form:t,fieldErrors:n}=e.state,{answers:r={}}=t;return O(e,{questions:p(e.state),answers:r,errors:n,prefix:`answer`,answer:(t,n)=>e.flow.fillIn({answers:{...r,[t]:n}})})}function K(e){let{words:t,state:n}=e,{slot:r}=n,i=f(n),a=b(n),o=I(e,n.payment?.kind===`bundle`,a,F(e));return s([[t.form.when,r&&u(e,r)],[t.card.coach,n.course&&g(n)?.mentor.name],[t.form.where,P(e,i)],[t.form.price,o&&m`<b>${o}</b>`],[t.form.terms,i&&R(e,i,a)]])}function q(e){let{words:t,state:n,flow:r,now:a}=e,{hold:o}=n;if(n.needsSignIn||_(n))return v;if(o.kind===`held`)return m`<p class="hold" role="timer">${t.form.held(c(o.endsAt-a))}</p>`;if(o.kind!==`expired`)return v;let s=x(t.form.keepAgain,()=>r.holdAgain());return i(`warning`,t.form.expired,s)}function J(t){let{needsSignIn:n,submission:o}=t.state;if(n)return r(t);if(o.kind===`refused`){let{error:e}=o;if(e.presentTerms)return i(`warning`,[a(t.words,e),` `,m`<b>${Y(t,e)}</b>`]);let n=e.isTemporary&&e.status!==429;return h(t,e,n?m`<p>${t.words.form.unsure}</p>`:v)}return o.kind!==`sending`||!o.waiting?v:e(t,o.waiting)}function Y(e,{code:t}){let[n,r]=[f(e.state),b(e.state)];return t===`price_changed`?r&&o(e,r):n&&R(e,n,r)}function X(e,t){let{words:n,state:r}=e,i=!r.course&&r.listing?.bookingMode===`request`,a=b(r),o=a?.amount?n.form.bookFor(L(e,a,F(e))):n.form.book,s=r.submission.kind===`refused`&&r.submission.error.isTemporary?n.tryAgain:i?n.form.request:o;return m`<div class="submit">
    <button type="submit" class="primary" part="button primary" ?disabled=${t}>
      ${t?m`<span class="spinner" aria-hidden="true"></span> ${n.form.sending}`:s}
    </button>
    ${i?m`<p class="muted">${n.form.requestHint}</p>`:v}
  </div>`}export{M as answersIn,j as missingAnswers,H as renderForm,O as renderQuestions,z as renderResult};