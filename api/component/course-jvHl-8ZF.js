import{B as e,D as t,E as n,F as r,N as i,W as a,_ as o,ct as s,g as c,gt as l,mt as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return a(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,a=t.courseId??``,[{course:s,products:l},u,d]=await Promise.all([e.get(`/courses/${a}/support-options`,{},r),c(e,`/mentors`,{courseId:a},r),c(e,`/listings`,{courseId:a},r)]),f=u.map(e=>o(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:s,products:l.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:t},n,r){t.state.payment||t.update({bundles:null});let i=(await c(e,`/bundles`,{},{signal:r}).catch(()=>[])).filter(({courseId:e,status:n})=>e===t.state.course?.id&&n===`active`);t.update({bundles:i});let a=_(t.state),o=n??s(t.state.payment);t.update({payment:a.find(e=>s(e)===o)??a[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=(e.bundles??[]).filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,t){return n(e,t,p(e).byCredits)}function b(n){let{words:r,state:i,flow:a}=n,o=p(n),s=h(i.offers);return l`<div class="columns" ?hidden=${i.slot!==null}>
    ${s.length>1?l`<label class="field"
          ><span>${o.duration}</span>
          <select data-value=${i.durationMinutes} @change=${t=>a.chooseDuration(Number(e(t)))}>
            ${s.map(e=>l`<option value=${e}>
                  ${t(n,e)}
                </option>`)}
          </select></label
        >`:u}
    ${i.offers.length>1?l`<label class="field"
          ><span>${r.card.coach}</span>
          <select data-value=${i.mentorId??``} @change=${t=>a.chooseMentor(e(t)||null)}>
            <option value="">${o.anyCoach}</option>
            ${i.offers.map(({mentor:e})=>l`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:u}
  </div>`}function x(e){return l`${S(e)} ${C(e)}`}function S({words:t,state:n,flow:r}){let i=n.offers.filter(({mentor:e})=>n.slot?.mentorProfileIds.includes(e.id));return i.length<2?u:l`<label class="field"
    ><span>${t.card.coach}</span>
    <select data-value=${n.slotMentorId} @change=${t=>r.chooseSlotMentor(e(t))}>
      ${i.map(({mentor:e})=>l`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(e){let{words:t,state:n,flow:r}=e;if(!n.bundles)return l`<p class="muted" role="status">${t.loading}</p>`;let a=p(e),o=_(n);return o.length?o.length===1?u:l`<fieldset class="offers">
    <legend>${a.payment}</legend>
    ${o.map(t=>l`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${s(t)===s(n.payment)}
          @change=${()=>r.choosePayment(t)}
        />
        ${w(e,t)}</label
      >`)}
  </fieldset>`:i(`warning`,a.noPayment)}function w(e,t){let{state:i}=e,a=p(e);if(t.kind===`product`)return l`<span><b>${t.product.title}</b></span><b class="price">${r(e,t.product.price)}</b>`;let{productId:o,remainingSessions:s}=t.bundle,c=i.products.find(e=>e.id===o)?.title??a.bundle;return l`<span>${a.credit(c,n(e,s,a.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,g as proposePayment,b as renderChoice,x as renderFields};