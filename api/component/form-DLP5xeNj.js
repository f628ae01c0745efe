import{B as e,C as t,F as n,H as r,I as i,N as a,O as o,R as s,T as c,V as l,W as u,X as d,a as f,c as p,gt as m,it as h,k as g,mt as _,o as v,s as y,st as b,w as x,x as S,z as C}from"./session-booking.js";var w={choose:`Please choose`,yes:`Yes`,no:`No`,missing:`Please answer this question.`},T={choose:`Bitte auswählen`,yes:`Ja`,no:`Nein`,missing:`Bitte beantworten Sie diese Frage.`};function E(e){return u(`questions`,{en:w,de:T},e)}var D=`yes`;function O(e,t){return m`${t.questions.map(n=>k(e,t,n))}`}function k(t,{answers:n,errors:r,prefix:a,answer:o},s){let{id:c,label:l,kind:u,required:d}=s,f=`${a}-${c}`,p=n[c]??``,g=r[h(c)],v=g?`true`:`false`,y=t=>o(c,e(t));return m`<div class="field">
    <label for=${f} dir="auto"
      >${l} ${d?_:m`<span class="muted">(${t.words.form.optional})</span>`}</label
    >
    ${u===`text`?m`<textarea
          id=${f}
          rows="2"
          dir="auto"
          ?required=${d}
          .value=${p}
          aria-invalid=${v}
          aria-describedby="${f}-error"
          @input=${y}
        ></textarea>`:m`<select
          id=${f}
          ?required=${d}
          data-value=${p}
          aria-invalid=${v}
          aria-describedby="${f}-error"
          @change=${y}
        >
          ${A(t,s).map(([e,t])=>m`<option value=${e}>${t}</option>`)}
        </select>`}
    ${i(`${f}-error`,g)}
  </div>`}function A(e,{kind:t,choices:n,required:r}){let i=E(e),a=[``,r?i.choose:`–`],o=[[D,i.yes],[`no`,i.no]];return[a,...t===`yes_no`?o:(n??[]).map(e=>[e,e])]}function j(e,t,n){let r=t.filter(({id:e,required:t})=>t&&!n[e]?.trim()).map(({id:t})=>[h(t),[E(e).missing]]);return r.length?Object.fromEntries(r):null}function M(e,t){let n=e.flatMap(({id:e,kind:n})=>{let r=t[e]?.trim();return r?[[e,n===`yes_no`?r===D:r]]:[]});return n.length?{answers:Object.fromEntries(n)}:{}}var N=36e5;function P({words:e},t){return t?.location?.kind===`address`?t.location.value??e.form.inPerson:t?.location?.kind===`phone`?e.form.phone:e.form.online}function F({enhanced:e}){return e?.extras?.series.sessions()??1}function I(e,t,r,i){return t?e.course?.creditsText(e,i):r?i>1&&r.amount?e.words.form.inAll(L(e,r,i),n(e,r)):n(e,r):null}function L(e,t,r){return n(e,{...t,amount:t.amount*r})}function R(e,t,r){let{words:i,locale:a,state:o,course:s,now:c}=e,{cancellation:l}=t;if(!l)return i.form.noCancelling;let{windowHours:u,lateFeePercent:f}=l,p=r&&Math.floor((r.amount*f+50)/100);if(!f||!o.slot||p===0)return i.form.alwaysFree;let m=S(o.slot)-u*N,h=m>c?`${i.form.freeUntil(d(m,a,o.zone))} `:`${i.form.freeAtFirst} `;if(!r||p===null)return h+((o.payment&&s?.courseWords(e).lateCredit)??``);let g=new Intl.NumberFormat(a,{style:`percent`}).format(f/100),_=n(e,{...r,amount:p});return h+i.form.lateFee(_,g)}function z(e){let{words:t,state:n,flow:r,enhanced:i,realtime:a}=e,{submission:o}=n,s=`series`in o&&o.series?i?.extras?.series.renderResult(o.series):_,{tone:c,title:l,hint:u}=B(e),d=x(t.result.another,()=>r.bookAnother()),f=o.kind===`sending`||o.kind===`queued`;return m`<section class="result" part="result" aria-busy=${o.kind===`sending`?`true`:`false`}>
    <div class="outcome ${c}">
      ${c===`success`?m`<span class="mark" aria-hidden="true">✓</span>`:_}
      ${o.kind===`sending`?m`<span class="spinner" aria-hidden="true"></span>`:_}
      <div>
        <h2 tabindex="-1" data-focus>${l}</h2>
        ${u?m`<p class="muted" role="status">${u}</p>`:_}
      </div>
    </div>
    ${V(e)} ${s??_}
    ${f?o.kind===`queued`&&a?a.renderQueued():_:r.following?.render(e,d)??m`<div class="actions">${d}</div>`}
  </section>`}function B({words:e,state:{submission:t},flow:n,locale:r}){let{form:i,result:a}=e;switch(t.kind){case`booked`:case`pending`:return{tone:`success`,title:a.booked,hint:n.following?.hint(t,r)};case`requested`:return{tone:`waiting`,title:a.requested,hint:i.requestHint};case`queued`:return{tone:`waiting`,title:a.queued};case`unpaid`:case`closed`:return n.following?.outcome(t.booking,r)??{tone:`waiting`,title:a.confirming};default:return{tone:`waiting`,title:a.confirming}}}function V(e){let{words:t,state:n}=e,i=`booking`in n.submission?n.submission.booking:null,a=i??n.slot,o=i?.price??y(n),s=i?.mentor?.name??v(n)?.mentor.name,c=`series`in n.submission?n.submission.series:null,l=i?c?.made.length??1:F(e),u=i?i.bundlePurchaseId!==null:n.payment?.kind===`bundle`;return C([[t.form.when,a&&r(e,a)],[t.result.with,s],[t.form.subject,i?.title??n.form.title],[t.form.where,P(e,i??f(n))],[t.form.price,I(e,u,o,l)]])}function H(e){let{words:n,state:r,flow:i}=e,a=b(r);return m`<form class="form" part="form" novalidate aria-busy=${a?`true`:`false`} @submit=${e=>{e.preventDefault(),i.submit()}}>
    <button type="button" class="link" part="button" ?disabled=${a} @click=${()=>i.leaveForm()}>
      ${t(`m15 6-6 6 6 6`)} ${n.back}
    </button>
    <h3 tabindex="-1" data-focus>${n.form.title}</h3>
    ${K(e)} ${q(e)}
    ${U(r)?s(e,void 0,n.form.signInToBook):W(e,a)}
  </form>`}function U({needsSignIn:e,submission:t}){return e&&t.kind!==`refused`}function W(t,n){let{words:r,state:a,flow:o,course:s,enhanced:c}=t,{form:l,fieldErrors:u}=a;return m`<fieldset class="fields" ?disabled=${n}>
      ${s?.renderFields(t)??_}
      <div class="field">
        <label for="title">${r.form.subject}</label>
        <input
          id="title"
          name="title"
          required
          .value=${l.title}
          aria-invalid=${u.title?`true`:`false`}
          aria-describedby="title-error"
          @input=${t=>o.fillIn({title:e(t)})}
        />
        ${i(`title-error`,u.title)}
      </div>
      <div class="field">
        <label for="notes">${r.form.notes} <span class="muted">(${r.form.optional})</span></label>
        <textarea
          id="notes"
          name="notes"
          rows="3"
          .value=${l.notes}
          aria-invalid=${u.notes?`true`:`false`}
          aria-describedby="notes-error"
          @input=${t=>o.fillIn({notes:e(t)})}
        ></textarea>
        ${i(`notes-error`,u.notes)}
      </div>
      ${G(t)} ${c?.extras?.series.render()??_}
      ${i(`recurrence-error`,u.recurrence)} ${i(`other-error`,u.other)}
    </fieldset>
    ${J(t)} ${X(t,n||!a.bundles)}`}function G(e){let{form:t,fieldErrors:n}=e.state,{answers:r={}}=t;return O(e,{questions:p(e.state),answers:r,errors:n,prefix:`answer`,answer:(t,n)=>e.flow.fillIn({answers:{...r,[t]:n}})})}function K(e){let{words:t,state:n}=e,{slot:i}=n,a=f(n),o=y(n),s=I(e,n.payment?.kind===`bundle`,o,F(e));return C([[t.form.when,i&&r(e,i)],[t.card.coach,n.course&&v(n)?.mentor.name],[t.form.where,P(e,a)],[t.form.price,s&&m`<b>${s}</b>`],[t.form.terms,a&&R(e,a,o)]])}function q(e){let{words:t,state:n,flow:r,now:i}=e,{hold:o}=n;if(n.needsSignIn||b(n))return _;if(o.kind===`held`)return m`<p class="hold" role="timer">${t.form.held(c(o.endsAt-i))}</p>`;if(o.kind!==`expired`)return _;let s=x(t.form.keepAgain,()=>r.holdAgain());return a(`warning`,t.form.expired,s)}function J(e){let{needsSignIn:t,submission:n}=e.state;if(t)return s(e);if(n.kind===`refused`){let{error:t}=n;if(t.presentTerms)return a(`warning`,[o(e.words,t),` `,m`<b>${Y(e,t)}</b>`]);let r=t.isTemporary&&t.status!==429;return g(e,t,r?m`<p>${e.words.form.unsure}</p>`:_)}return n.kind!==`sending`||!n.waiting?_:l(e,n.waiting)}function Y(e,{code:t}){let[r,i]=[f(e.state),y(e.state)];return t===`price_changed`?i&&n(e,i):r&&R(e,r,i)}function X(e,t){let{words:n,state:r}=e,i=!r.course&&r.listing?.bookingMode===`request`,a=y(r),o=a?.amount?n.form.bookFor(L(e,a,F(e))):n.form.book,s=r.submission.kind===`refused`&&r.submission.error.isTemporary?n.tryAgain:i?n.form.request:o;return m`<div class="submit">
    <button type="submit" class="primary" part="button primary" ?disabled=${t}>
      ${t?m`<span class="spinner" aria-hidden="true"></span> ${n.form.sending}`:s}
    </button>
    ${i?m`<p class="muted">${n.form.requestHint}</p>`:_}
  </div>`}export{M as answersIn,j as missingAnswers,H as renderForm,O as renderQuestions,z as renderResult};